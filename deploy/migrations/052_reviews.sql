-- A version that answers requested changes goes on in the thread of the one it follows; null: a thread of its own.
alter table marketplace.versions add column thread_id uuid, add column resubmission_of uuid;
create index versions_thread on marketplace.versions (org, (coalesce(thread_id, id)));
-- The queue in each of its orders. What the analyzer has not judged may be anything, so it counts as the highest risk.
create index versions_queue_due on marketplace.versions (due_at, id) where status = 'in_review';
create index versions_queue_age on marketplace.versions (submitted_at, id) where status = 'in_review';
create index versions_queue_risk on marketplace.versions ((coalesce(risk_score, 2)) desc, id) where status = 'in_review';

-- Under which version of the policy, and with which template, it was decided; null: before there were any, or none.
alter table marketplace.decisions add column policy_version int, add column template text;
-- The first of two approvals is an entry of its own, once a reviewer and version.
create unique index decisions_endorsed on marketplace.decisions (org, version_id, approver) where decision = 'endorse';

-- A publisher that answers requested changes closes the version it answers for, and nothing else.
create policy own_superseded on marketplace.versions for update to atom_app
  using (org = platform.current_org() and status = 'changes_requested')
  with check (org = platform.current_org() and status = 'rejected');
create function marketplace.only_superseded() returns trigger language plpgsql as $$
begin
  if current_user = 'atom_app' and not platform.is_operator()
     and (old.status = 'changes_requested') <> (new.status = 'rejected') then
    raise exception 'a publisher closes only what it answers for' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger only_superseded before update of status on marketplace.versions
  for each row execute function marketplace.only_superseded();
create policy own_superseded on marketplace.decisions for insert to atom_app
  with check (org = platform.current_org() and approver_kind = 'person' and decision = 'supersede');

-- What reviewers and publisher say to each other about a version, and who handed a review over to whom. Append only.
create table marketplace.messages (
  org text not null references platform.orgs,
  id uuid not null,
  version_id uuid not null,
  kind text not null check (kind in ('message', 'hand_over')),
  author text not null,
  author_kind text not null check (author_kind in ('reviewer', 'publisher')),
  handed_to text check ((handed_to is not null) = (kind = 'hand_over')),
  text text not null check (text <> ''),
  at timestamptz not null,
  primary key (org, id),
  foreign key (org, version_id) references marketplace.versions (org, id)
);
create index messages_version on marketplace.messages (org, version_id, at, id);
comment on table marketplace.messages is 'messages on package versions under review [document]';

-- Findings that reviewers accepted for a package: the next version is not held for them. Confirmed with the approval.
create table marketplace.overrides (
  org text not null references platform.orgs,
  id uuid not null,
  name text not null references marketplace.names,
  version_id uuid not null,
  fingerprint text not null check (fingerprint ~ '^[0-9a-f]{64}$'),
  rule_id text not null,
  severity text not null,
  -- Of the version it was accepted on: a verdict of a higher risk has another reason.
  risk_score numeric not null,
  owner text not null check (owner <> ''),
  reason text not null check (reason <> ''),
  expires_at timestamptz not null,
  accepted_by text not null,
  accepted_at timestamptz not null,
  confirmed_by text,
  confirmed_at timestamptz,
  revoked_by text,
  revoked_at timestamptz,
  primary key (org, id),
  foreign key (org, version_id) references marketplace.versions (org, id),
  unique (org, version_id, fingerprint),
  check ((confirmed_by is null) = (confirmed_at is null) and (revoked_by is null) = (revoked_at is null)),
  -- A critical finding takes two people.
  check (severity <> 'critical' or confirmed_by is null or confirmed_by <> accepted_by)
);
create index overrides_name on marketplace.overrides (org, name, fingerprint) where confirmed_at is not null;
create index overrides_newest on marketplace.overrides (id desc) where confirmed_at is not null;
comment on table marketplace.overrides is 'accepted findings of packages [receipt]';

do $$
declare name text;
begin
  foreach name in array array['messages', 'overrides'] loop
    execute format('alter table marketplace.%I enable row level security', name);
    execute format('alter table marketplace.%I force row level security', name);
    execute format('create policy consumer on marketplace.%I for select to atom_marketplace using (true)', name);
    execute format('grant select on marketplace.%I to atom_marketplace', name);
  end loop;
end $$;
-- Hand-overs are the reviewers' own affair.
create policy own on marketplace.messages for select to atom_app
  using (platform.is_operator() or (org = platform.current_org() and kind = 'message'));
create policy operator_new on marketplace.messages for insert to atom_app
  with check (platform.is_operator() and author_kind = 'reviewer');
create policy own_new on marketplace.messages for insert to atom_app
  with check (org = platform.current_org() and author_kind = 'publisher' and kind = 'message');
create policy operator on marketplace.overrides to atom_app
  using (platform.is_operator()) with check (platform.is_operator());
create policy own on marketplace.overrides for select to atom_app using (org = platform.current_org());
grant select, insert on marketplace.messages to atom_app;
grant select, insert on marketplace.overrides to atom_app;
grant update (confirmed_by, confirmed_at, revoked_by, revoked_at) on marketplace.overrides to atom_app;
