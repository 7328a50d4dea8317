grant usage on schema marketplace to atom_app, atom_marketplace;

create table marketplace.signing_keys (
  org text not null references platform.orgs,
  key_id text not null,
  public_key text not null,
  algorithm text not null,
  valid_from timestamptz not null,
  revoked_at timestamptz,
  created_at timestamptz not null,
  primary key (org, key_id)
);
comment on table marketplace.signing_keys is 'public keys of partners [account]';

-- Names are global and public: the first publisher owns one.
create table marketplace.names (
  name text primary key,
  org text not null references platform.orgs,
  created_at timestamptz not null
);
comment on table marketplace.names is 'who owns a package name [document]';

create table marketplace.versions (
  org text not null references platform.orgs,
  id uuid not null,
  name text not null references marketplace.names,
  version text not null,
  digest text not null,
  media_type text not null,
  description text not null,
  tags text[] not null,
  safety_mode text not null check (safety_mode in ('manual', 'auto')),
  status text not null,
  reason text not null,
  key_id text not null,
  signature_form text not null check (signature_form in ('detached', 'bundle')),
  signature jsonb not null,
  verdict jsonb,
  risk_score numeric,
  submitted_at timestamptz not null,
  due_at timestamptz not null,
  published_at timestamptz,
  claimed_by text,
  claimed_until timestamptz,
  primary key (org, id),
  unique (org, name, version),
  foreign key (org, digest) references platform.artifacts
);
create index versions_id on marketplace.versions (id);
create index versions_name on marketplace.versions (name, id);
create index versions_status on marketplace.versions (status, id);
comment on table marketplace.versions is 'package versions and their state [document]';

-- P-3: who decided, why, and the hashes of the record before and after. Append only.
create table marketplace.decisions (
  org text not null,
  id uuid not null,
  version_id uuid not null,
  decision text not null,
  approver text not null,
  approver_kind text not null check (approver_kind in ('person', 'machine')),
  justification text not null check (justification <> ''),
  before_sha256 text not null,
  after_sha256 text not null,
  decided_at timestamptz not null,
  primary key (org, id),
  foreign key (org, version_id) references marketplace.versions (org, id)
);
create index decisions_version on marketplace.decisions (org, version_id);
comment on table marketplace.decisions is 'decisions on package versions [receipt]';

do $$
declare name text;
begin
  foreach name in array array['signing_keys', 'names', 'versions', 'decisions'] loop
    execute format('alter table marketplace.%I enable row level security', name);
    execute format('alter table marketplace.%I force row level security', name);
    execute format('create policy own on marketplace.%I for select to atom_app
      using (org = platform.current_org() or platform.is_operator())', name);
    execute format('create policy consumer on marketplace.%I to atom_marketplace using (true) with check (true)', name);
  end loop;
end $$;
create policy own_new on marketplace.signing_keys for insert to atom_app
  with check (org = platform.current_org() or platform.is_operator());
create policy own_change on marketplace.signing_keys for update to atom_app using (org = platform.current_org());
create policy own_new on marketplace.names for insert to atom_app with check (org = platform.current_org());
-- An organisation may only submit, under a name it owns; everything after that is an operator's or the machine's.
create policy own_new on marketplace.versions for insert to atom_app with check (
  org = platform.current_org() and status = 'submitted'
  and exists (select 1 from marketplace.names n where n.name = versions.name and n.org = versions.org));
create policy decided on marketplace.versions for update to atom_app using (platform.is_operator());
create policy decided on marketplace.decisions for insert to atom_app
  with check (platform.is_operator() and approver_kind = 'person');
create trigger stays_revoked before update on marketplace.signing_keys
  for each row execute function platform.stays_revoked();

-- What is published is for every known caller; without a tenant in the transaction there is still no row.
create policy published on marketplace.versions for select to atom_app
  using (status in ('published', 'deprecated') and platform.current_org() is not null);
create policy published on platform.artifacts for select to atom_app
  using (platform.current_org() is not null and exists (
    select 1 from marketplace.versions v
    where v.org = artifacts.org and v.digest = artifacts.digest and v.status in ('published', 'deprecated')));

grant select, insert on marketplace.signing_keys to atom_app;
grant update (revoked_at) on marketplace.signing_keys to atom_app;
grant select, insert on marketplace.names to atom_app;
grant select, insert on marketplace.versions to atom_app;
grant update (status, reason, claimed_by, claimed_until) on marketplace.versions to atom_app;
grant select, insert on marketplace.decisions to atom_app;
grant select on marketplace.signing_keys to atom_marketplace;
grant select, update on marketplace.versions to atom_marketplace;
grant select, insert on marketplace.decisions to atom_marketplace;
