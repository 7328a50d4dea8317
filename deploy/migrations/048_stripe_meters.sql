-- Which usage Stripe bills by a meter of its own. Null: of every tenant that subscribes to the package, or of every
-- package of the tenant.
create table metering.stripe_meters (
  id uuid primary key,
  tenant text references platform.orgs,
  package text,
  meter text not null,
  event_name text not null,
  -- Usage from this hour on; hours before `planned_until` were cut, and what they get later is late.
  since timestamptz not null,
  planned_until timestamptz not null,
  ends_at timestamptz,
  created_at timestamptz not null,
  check (tenant is not null or package is not null),
  check (since = date_trunc('hour', since) and planned_until = date_trunc('hour', planned_until))
);
create unique index stripe_meters_open on metering.stripe_meters (coalesce(tenant, ''), coalesce(package, ''), meter)
  where ends_at is null;
comment on table metering.stripe_meters is 'usage that Stripe bills by meters [configuration]';

-- Stored before they are sent, with all that is sent: a repeated call says the same.
create table metering.stripe_meter_windows (
  tenant text not null,
  id uuid not null,
  meter_id uuid not null references metering.stripe_meters,
  event_name text not null,
  -- The hour that was used, and the time it is told for: another one where Stripe takes the hour no more.
  hour timestamptz not null,
  at timestamptz not null,
  -- Usage of the hour that is in no earlier window, and the whole number that is told; the rest is carried on.
  usage numeric not null,
  value bigint not null check (abs(value) < 1000000000000000),
  state text not null check (state in ('pending', 'sent', 'failed', 'too_old', 'dry_run', 'carried')),
  -- Counted before a try, and since when one may have been taken without our knowing.
  attempts int not null default 0,
  unsure_since timestamptz,
  -- Part of the idempotency key; raised where the answer kept under a key is a failure.
  key_generation int not null default 1,
  next_attempt_at timestamptz not null,
  last_error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, id),
  check ((state = 'carried') = (value = 0)),
  check (state not in ('failed', 'too_old') or last_error is not null)
);
create index stripe_meter_windows_hours on metering.stripe_meter_windows (meter_id, tenant, hour);
create index stripe_meter_windows_due on metering.stripe_meter_windows (next_attempt_at) where state = 'pending';
create index stripe_meter_windows_newest on metering.stripe_meter_windows (hour desc, id desc);
comment on table metering.stripe_meter_windows is 'usage per hour as told to meters of Stripe [aggregate]';

do $$
declare name text;
begin
  foreach name in array array['stripe_meters', 'stripe_meter_windows'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy finance on metering.%I for select to atom_app using (platform.is_operator())', name);
  end loop;
end $$;
grant select on metering.stripe_meters, metering.stripe_meter_windows to atom_app;
grant select, insert, update on metering.stripe_meters, metering.stripe_meter_windows to atom_metering;
