-- A yanked version is in no list, but who knows its id still reads it; a blocked one is its owner's and the operator's.
drop policy published on marketplace.versions;
create policy published on marketplace.versions for select to atom_app
  using (status in ('published', 'deprecated', 'yanked') and platform.current_org() is not null);
drop policy published on platform.artifacts;
create policy published on platform.artifacts for select to atom_app
  using (platform.current_org() is not null and exists (
    select 1 from marketplace.versions v
    where v.org = artifacts.org and v.digest = artifacts.digest and v.status in ('published', 'deprecated', 'yanked')));

-- A publisher may take its own versions back, and nothing else of them.
create policy own_withdrawal on marketplace.versions for update to atom_app
  using (org = platform.current_org() and status in ('published', 'deprecated'))
  with check (org = platform.current_org() and status in ('deprecated', 'yanked'));
create policy own_withdrawal on marketplace.decisions for insert to atom_app
  with check (org = platform.current_org() and approver_kind = 'person' and decision in ('deprecate', 'yank'));
