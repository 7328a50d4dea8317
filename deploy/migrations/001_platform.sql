-- The roles of the product. Each consumer writes in its own schema only; `atom_app` serves HTTP and sees a
-- tenant's rows only inside a transaction that names the tenant. None owns a table, none bypasses row security.
do $$
declare name text;
begin
  foreach name in array array['atom_app', 'atom_marketplace', 'atom_governance', 'atom_metering', 'atom_analytics',
                              'atom_portal', 'atom_data'] loop
    begin
      execute format('create role %I login nosuperuser nobypassrls noinherit', name);
    exception when duplicate_object or unique_violation then null;
    end;
    -- Creating a role does not let one become it (PostgreSQL 16 and later); services log in and do `set role`.
    begin
      execute format('grant %I to current_user', name);
    exception when insufficient_privilege then
      if not pg_has_role(current_user, name, 'member') then
        raise exception 'role % exists and % may not become it: let an administrator run: grant % to %',
          name, current_user, name, current_user using errcode = 'insufficient_privilege';
      end if;
    end;
  end loop;
end $$;

create schema marketplace;
create schema governance;
create schema metering;
create schema read;
grant usage on schema platform to atom_app, atom_marketplace, atom_governance, atom_metering, atom_analytics, atom_portal,
  atom_data;

-- What row security asks. NULL or '' when no tenant was named, and both match no row.
create function platform.current_org() returns text language sql stable parallel safe
  as $$ select nullif(current_setting('app.org', true), '') $$;
create function platform.is_operator() returns boolean language sql stable parallel safe
  as $$ select coalesce(current_setting('app.operator', true), '') = 'on' $$;

-- The event log: the bus on one machine, and the outbox on any. Readers follow (xid, pos) below the oldest open
-- transaction, so an event that commits late is never skipped.
create table platform.event_log (
  topic text not null,
  partition int not null,
  xid xid8 not null default pg_current_xact_id(),
  pos bigint generated always as identity,
  key text not null,
  headers jsonb not null,
  value bytea not null,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (topic, partition, xid, pos)
);
create index event_log_recorded on platform.event_log using brin (recorded_at);
comment on table platform.event_log is 'events until their retention is over [log]';

create table platform.cursors (
  consumer_group text not null,
  topic text not null,
  partition int not null,
  position text not null,
  updated_at timestamptz not null default now(),
  primary key (consumer_group, topic, partition)
);
comment on table platform.cursors is 'next position of each consumer group [configuration]';

create table platform.inbox (
  consumer_group text not null,
  event_key bytea not null check (length(event_key) = 16),
  seen_at timestamptz not null default now(),
  primary key (consumer_group, event_key)
);
create index inbox_seen on platform.inbox using brin (seen_at);
comment on table platform.inbox is 'hashes of events each group has applied [hash]';

create table platform.dead_letters (
  id uuid primary key,
  consumer_group text not null,
  topic text not null,
  partition int not null,
  position text not null,
  key text not null,
  headers jsonb not null,
  value bytea not null,
  code text not null,
  reason text not null,
  attempts int not null,
  failed_at timestamptz not null
);
create index dead_letters_group on platform.dead_letters (consumer_group, id);
comment on table platform.dead_letters is 'events a group could not apply, as they came; expire with the log [log]';

-- The only way an event leaves the log: by age, never younger than a day.
create function platform.expire_log(name text, days int) returns bigint language plpgsql security definer
  set search_path = pg_catalog as $$
declare removed bigint;
begin
  delete from platform.event_log where topic = name and recorded_at < now() - make_interval(days => greatest(days, 1));
  get diagnostics removed = row_count;
  delete from platform.dead_letters where topic = name and failed_at < now() - make_interval(days => greatest(days, 1));
  return removed;
end $$;
revoke execute on function platform.expire_log from public;
grant execute on function platform.expire_log to atom_data;

grant select on platform.event_log, platform.cursors, platform.dead_letters to atom_data;
grant insert on platform.event_log to atom_app, atom_marketplace, atom_governance, atom_metering;
grant select on platform.event_log to atom_marketplace, atom_governance, atom_metering, atom_analytics;
grant select, insert, update on platform.cursors to atom_marketplace, atom_governance, atom_metering, atom_analytics;
grant select, insert, delete on platform.inbox to atom_marketplace, atom_governance, atom_metering, atom_analytics;
grant select, insert on platform.dead_letters to atom_marketplace, atom_governance, atom_metering, atom_analytics;

create table platform.orgs (
  org text primary key check (org ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  display_name text not null,
  kind text not null check (kind in ('operator', 'member')),
  created_at timestamptz not null
);
comment on table platform.orgs is 'organisations [account]';

create table platform.api_keys (
  org text not null references platform.orgs,
  id uuid not null,
  prefix text not null,
  hash bytea not null check (length(hash) = 32),
  scopes text[] not null,
  created_at timestamptz not null,
  revoked_at timestamptz,
  primary key (org, id)
);
create index api_keys_hash on platform.api_keys (hash);
comment on table platform.api_keys is 'hashes of API keys [account]';

create table platform.artifacts (
  org text not null references platform.orgs,
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  bytes bytea not null,
  stored_at timestamptz not null,
  primary key (org, digest)
);
comment on table platform.artifacts is 'documents by the hash of their bytes [document]';

alter table platform.orgs enable row level security;
alter table platform.orgs force row level security;
alter table platform.api_keys enable row level security;
alter table platform.api_keys force row level security;
alter table platform.artifacts enable row level security;
alter table platform.artifacts force row level security;

create policy own on platform.orgs to atom_app
  using (org = platform.current_org() or platform.is_operator()) with check (platform.is_operator());
create policy own on platform.api_keys to atom_app
  using (org = platform.current_org() or platform.is_operator())
  with check (org = platform.current_org() or platform.is_operator());
-- Before a caller is known only the hash of what it sent is: a key can be found by its hash and by nothing else.
create policy presented on platform.api_keys for select to atom_app
  using (encode(hash, 'hex') = nullif(current_setting('app.presented_key', true), ''));
create policy own on platform.artifacts to atom_app
  using (org = platform.current_org() or platform.is_operator()) with check (org = platform.current_org());
create policy consumers on platform.artifacts for select to atom_governance, atom_marketplace using (true);

create function platform.stays_revoked() returns trigger language plpgsql as $$
begin
  if old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at then
    raise exception 'what was revoked stays revoked' using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger stays_revoked before update on platform.api_keys
  for each row execute function platform.stays_revoked();

grant select, insert on platform.orgs to atom_app;
grant select, insert on platform.api_keys to atom_app;
grant update (revoked_at) on platform.api_keys to atom_app;
grant select, insert on platform.artifacts to atom_app;
grant select on platform.artifacts to atom_governance, atom_marketplace;
