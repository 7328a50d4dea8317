-- Which usage is billed by AWS Marketplace, and under which agreement. A tenant's package has one agreement at a time.
create table metering.aws_products (
  tenant text not null references platform.orgs,
  package text not null,
  meter text not null,
  -- Calls are made for one product each.
  product text not null,
  license_arn text not null,
  customer_account text not null check (customer_account ~ '^\d{12}$'),
  dimension text not null,
  -- Usage from this hour on; hours before `planned_until` are in windows, or were nothing whole.
  since timestamptz not null,
  planned_until timestamptz not null,
  ends_at timestamptz,
  primary key (tenant, package, meter),
  check (since = date_trunc('hour', since) and planned_until = date_trunc('hour', planned_until))
);
-- Two meters under one dimension would be two quantities for one hour, of which AWS honours one.
create unique index aws_products_dimension on metering.aws_products (license_arn, dimension) where ends_at is null;
comment on table metering.aws_products is 'usage that AWS Marketplace bills [configuration]';

-- Stored before they are sent, with all that is sent: a repeated call says the same.
create table metering.aws_windows (
  tenant text not null,
  id uuid not null,
  package text not null,
  meter text not null,
  product text not null,
  license_arn text not null,
  customer_account text not null,
  dimension text not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  quantity bigint not null check (quantity between 1 and 2147483647),
  -- From then on AWS refuses it.
  deadline timestamptz not null,
  state text not null check (state in ('pending', 'sent', 'failed', 'expired', 'dry_run')),
  attempts int not null default 0,
  next_attempt_at timestamptz not null,
  metering_record_id text,
  last_error text,
  updated_at timestamptz not null,
  primary key (tenant, id),
  unique (tenant, package, meter, window_end),
  check (window_start < window_end),
  check (state not in ('failed', 'expired') or last_error is not null)
);
create index aws_windows_due on metering.aws_windows (deadline) where state = 'pending';
comment on table metering.aws_windows is 'usage per window as sent to AWS Marketplace [aggregate]';

do $$
declare name text;
begin
  foreach name in array array['aws_products', 'aws_windows'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy finance on metering.%I for select to atom_app using (platform.is_operator())', name);
  end loop;
end $$;
grant select on metering.aws_products, metering.aws_windows to atom_app;
grant select, insert, update on metering.aws_products, metering.aws_windows to atom_metering;

-- What AWS bills is not sent to Stripe.
alter table metering.payment_sends drop constraint payment_sends_state_check;
alter table metering.payment_sends add check (state in ('pending', 'sent', 'failed', 'dry_run', 'skipped'));
