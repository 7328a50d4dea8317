-- When the signature was made, as a log or a timestamp proves it; null: as far as known when it was submitted.
alter table marketplace.versions add column signed_at timestamptz;
create index versions_signer on marketplace.versions (org, key_id);

-- Who may sign without a key of its own: names in certificates of an OIDC issuer.
create table marketplace.identities (
  org text not null references platform.orgs,
  id uuid not null,
  issuer text not null,
  subject text not null,
  valid_from timestamptz not null,
  revoked_at timestamptz,
  created_at timestamptz not null,
  primary key (org, id)
);
create unique index identities_current on marketplace.identities (org, issuer, subject) where revoked_at is null;
comment on table marketplace.identities is 'identities of partners that sign without a key of their own [account]';

alter table marketplace.identities enable row level security;
alter table marketplace.identities force row level security;
create policy own on marketplace.identities for select to atom_app
  using (org = platform.current_org() or platform.is_operator());
create policy own_new on marketplace.identities for insert to atom_app with check (org = platform.current_org());
create policy own_change on marketplace.identities for update to atom_app using (org = platform.current_org());
create policy consumer on marketplace.identities for select to atom_marketplace using (true);
grant select, insert on marketplace.identities to atom_app;
grant update (revoked_at) on marketplace.identities to atom_app;
grant select on marketplace.identities to atom_marketplace;

-- A revocation may be planned and then brought forward, as far back as the leak; it is never taken back or put off.
create function marketplace.revoked_only_earlier() returns trigger language plpgsql as $$
begin
  if old.revoked_at is not null and (new.revoked_at is null or new.revoked_at > old.revoked_at) then
    raise exception 'a revocation is neither taken back nor put off' using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
drop trigger stays_revoked on marketplace.signing_keys;
create trigger revoked_only_earlier before update on marketplace.signing_keys
  for each row execute function marketplace.revoked_only_earlier();
create trigger revoked_only_earlier before update on marketplace.identities
  for each row execute function marketplace.revoked_only_earlier();

-- Whoever may use a package may see what verifies it.
create policy published on marketplace.signing_keys for select to atom_app
  using (platform.current_org() is not null and exists (
    select 1 from marketplace.versions v
    where v.org = signing_keys.org and v.key_id = signing_keys.key_id and v.status in ('published', 'deprecated', 'yanked')));
create policy published on marketplace.identities for select to atom_app
  using (platform.current_org() is not null and exists (
    select 1 from marketplace.versions v
    where v.org = identities.org and v.key_id = identities.id::text and v.status in ('published', 'deprecated', 'yanked')));
