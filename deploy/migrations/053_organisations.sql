-- An organisation that is suspended reads and changes nothing; the reason is for itself and the operator.
alter table platform.orgs
  add column currency text check (currency ~ '^[A-Z]{3}$'),
  add column suspended_at timestamptz,
  add column suspended_reason text,
  add column suspended_by text,
  add constraint suspended_whole check (
    num_nonnulls(suspended_at, suspended_reason, suspended_by) in (0, 3)),
  add constraint operator_never_suspended check (kind <> 'operator' or suspended_at is null);
grant update (suspended_at, suspended_reason, suspended_by) on platform.orgs to atom_app;

-- That it is suspended, and only that, is for everybody: its packages are marked and in nobody's list.
create table platform.suspended_orgs (
  org text primary key references platform.orgs
);
comment on table platform.suspended_orgs is 'organisations that are suspended now [account]';
alter table platform.suspended_orgs enable row level security;
alter table platform.suspended_orgs force row level security;
create policy known on platform.suspended_orgs for select to atom_app using (platform.current_org() is not null);
create policy operator_new on platform.suspended_orgs for insert to atom_app with check (platform.is_operator());
create policy operator_end on platform.suspended_orgs for delete to atom_app using (platform.is_operator());
create policy consumers on platform.suspended_orgs for select to atom_marketplace using (true);
grant select, insert, delete on platform.suspended_orgs to atom_app;
grant select on platform.suspended_orgs to atom_marketplace;

create function platform.mark_suspended() returns trigger language plpgsql as $$
begin
  if new.suspended_at is null then
    delete from platform.suspended_orgs where org = new.org;
  else
    insert into platform.suspended_orgs (org) values (new.org) on conflict do nothing;
  end if;
  return null;
end $$;
create trigger mark_suspended after update of suspended_at on platform.orgs
  for each row execute function platform.mark_suspended();

alter table platform.api_keys
  add column name text check (name ~ '^[[:print:]]{1,100}$'),
  add column expires_at timestamptz,
  add column last_used_at timestamptz;
-- A creation that is sent twice finds its name taken: its key was shown to whoever sent it first.
create unique index api_keys_name on platform.api_keys (org, name) where revoked_at is null;
grant update (last_used_at) on platform.api_keys to atom_app;

-- Who of an OIDC issuer's people may do what in which organisation. `subject` is the issuer's own, or `email:` and the
-- SHA-256 of a verified address; `label` is what lists show.
create table platform.members (
  org text not null references platform.orgs,
  issuer text not null check (length(issuer) between 1 and 500),
  subject text not null check (subject ~ '^[\x21-\x7e]{1,255}$'),
  label text not null,
  roles text[] not null check (
    cardinality(roles) > 0 and roles <@ array['owner', 'partner', 'tenant', 'reviewer', 'finance', 'data', 'admin']),
  created_at timestamptz not null,
  changed_at timestamptz not null,
  changed_by text not null,
  primary key (org, issuer, subject)
);
create index members_subject on platform.members (issuer, subject);
comment on table platform.members is 'people of organisations by the name their issuer gives them [account]';
alter table platform.members enable row level security;
alter table platform.members force row level security;
create policy own on platform.members to atom_app
  using (org = platform.current_org() or platform.is_operator())
  with check (org = platform.current_org() or platform.is_operator());
-- Before a caller's organisation is known only who the verified token names is.
create policy presented on platform.members for select to atom_app using (
  issuer = nullif(current_setting('app.presented_issuer', true), '')
  and subject = any(string_to_array(nullif(current_setting('app.presented_subjects', true), ''), ' ')));
grant select, insert, update, delete on platform.members to atom_app;

-- Which words there are is said by what writes them.
alter table marketplace.to_record drop constraint if exists to_record_kind_check;
alter table marketplace.to_record add constraint to_record_kind_check check (kind ~ '^[a-z][a-z_]{1,39}$');
