-- What the aggregations beside sum and count need of an hour. `change_ms` is the sum of each change of the level times
-- the milliseconds from it to the end of the hour; of what was counted before, only the sum is known.
alter table metering.rollups
  add column maximum numeric check (maximum < 'Infinity'),
  add column latest numeric check (latest < 'Infinity'),
  add column latest_at timestamptz,
  add column latest_key text,
  add column change numeric not null default 0 check (change > '-Infinity' and change < 'Infinity'),
  add column change_ms numeric not null default 0 check (change_ms > '-Infinity' and change_ms < 'Infinity');
update metering.rollups set change = quantity;

-- Hashes of the values that a charge with aggregation `unique` counts, by day.
create table metering.distinct_values (
  tenant text not null,
  day date not null,
  meter text not null,
  package text not null,
  dimensions jsonb not null,
  dimensions_key bytea not null,
  -- The dimension they are values of; '' for the quantities themselves.
  value_of text not null,
  value_key bytea not null check (length(value_key) = 16),
  primary key (tenant, day, meter, package, dimensions_key, value_of, value_key)
);
comment on table metering.distinct_values is 'hashes of the values that unique counts [hash]';

-- Quantities of single events, only where a price depends on single events, until their invoice is issued.
create table metering.priced_events (
  tenant text not null,
  at timestamptz not null,
  record_key bytea not null check (length(record_key) = 16),
  meter text not null,
  package text not null,
  dimensions jsonb not null,
  quantity numeric not null check (quantity >= 0 and quantity < 'Infinity'),
  primary key (tenant, at, record_key)
);
comment on table metering.priced_events is 'quantities that percentage prices need one by one, by hash of their record [hash]';
create index priced_events_at on metering.priced_events using brin (at);
create index distinct_values_day on metering.distinct_values using brin (day);

-- A later version of a plan names the first one; subscriptions to the first are priced by it from its effective time.
alter table metering.plans add column first_version uuid;
create unique index plans_versions on metering.plans (partner, first_version, effective_from);

do $$
declare name text;
begin
  foreach name in array array['distinct_values', 'priced_events'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy own on metering.%I for select to atom_app
      using (tenant = platform.current_org() or platform.is_operator())', name);
    execute format('grant select on metering.%I to atom_app', name);
    execute format('grant select, insert, delete on metering.%I to atom_metering', name);
  end loop;
end $$;

-- Who is subscribed to a plan sees its later versions too.
drop policy subscribed on metering.plans;
create policy subscribed on metering.plans for select to atom_app using (exists (
  select 1 from metering.subscriptions s
  where s.plan_id in (plans.id, plans.first_version) and s.partner = plans.partner
    and s.tenant = platform.current_org()));
