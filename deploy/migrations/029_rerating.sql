-- Months counted again from the log and compared with their invoices: what was asked, how far it is, what came of it.
create table metering.reratings (
  id uuid primary key,
  state text not null check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  -- Asked for by the clock; its differences are what the drift metrics show.
  nightly boolean not null default false,
  -- The same request while one like it is open is that one.
  request_key text not null,
  tenant text references platform.orgs,
  period text not null check (period ~ '^\d{4}-\d{2}$'),
  as_of timestamptz,
  -- {partner, versions}: another price than the one in force; null for that one.
  other_plan jsonb,
  -- Raised with every change: of two processes that took the same step, one changes nothing.
  step bigint not null default 0,
  -- [{topic, partition, at}]: how far the log was counted.
  ranges jsonb not null default '[]',
  events bigint not null default 0,
  records bigint not null default 0,
  left_out bigint not null default 0,
  expected_events bigint not null default 0,
  -- What the log still holds of the month: {from, to, complete}.
  covers jsonb,
  -- The last tenant that was compared: tenants go by name.
  compared_to text,
  not_counted jsonb,
  code text,
  note text,
  requested_by text not null,
  requested_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  check ((state in ('done', 'failed', 'cancelled')) = (ended_at is not null))
);
-- The tables beside the live ones are there once, so one goes at a time.
create unique index reratings_running on metering.reratings ((true)) where state = 'running';
create unique index reratings_open on metering.reratings (request_key) where state in ('queued', 'running');
create unique index reratings_nightly on metering.reratings (request_key) where nightly;
comment on table metering.reratings is 'months counted again from the log: who asked, how far they are [aggregate]';

create table metering.rerating_results (
  rerating uuid not null references metering.reratings on delete cascade,
  tenant text not null references platform.orgs,
  currency text not null,
  differing_lines int not null,
  differing_hours int not null,
  difference numeric not null check (difference > '-Infinity' and difference < 'Infinity'),
  -- The sum of the amounts by which lines differ, whatever their sign: what cancels out is still wrong.
  drift numeric not null check (drift >= 0 and drift < 'Infinity'),
  body jsonb not null,
  -- The tenant could not be rated: `body` says why, and the other tenants are compared all the same.
  failed boolean not null default false,
  primary key (rerating, tenant)
);
comment on table metering.rerating_results is 'what a month from the log and its invoice differ by, per tenant [aggregate]';

do $$
declare name text;
begin
  foreach name in array array['reratings', 'rerating_results'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy operator on metering.%I for select to atom_app using (platform.is_operator())', name);
    execute format('grant select on metering.%I to atom_app', name);
    execute format('grant select, insert, update, delete on metering.%I to atom_metering', name);
  end loop;
end $$;

-- Copies of the tables that counting fills, as they are by then; `platform.copy_shape` is of 045.
create schema metering_rerating;
grant usage on schema metering_rerating to atom_metering;
create function metering_rerating.make(names text[]) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare name text;
begin
  foreach name in array names loop perform platform.copy_shape('metering', 'metering_rerating', name); end loop;
end $$;
create function metering_rerating.discard(names text[]) returns void language plpgsql security definer
  set search_path = pg_catalog as $$
declare name text;
begin
  foreach name in array names loop execute format('drop table if exists metering_rerating.%I', name); end loop;
end $$;
revoke execute on function metering_rerating.make, metering_rerating.discard from public;
grant execute on function metering_rerating.make, metering_rerating.discard to atom_metering;
