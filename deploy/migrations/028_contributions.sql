-- What each report added to each hour: the way from an invoice's line down to reports and up again. `root` is the
-- Merkle root over the records of the report that counted into the hour, in the report's order.
create table metering.contributions (
  tenant text not null,
  report_id uuid not null,
  hour timestamptz not null,
  meter text not null,
  package text not null,
  version text not null,
  dimensions jsonb not null,
  dimensions_key bytea not null,
  -- What the records add up to; what lowers a level counts against it.
  quantity numeric not null check (quantity > '-Infinity' and quantity < 'Infinity'),
  records int not null check (records > 0),
  root bytea not null check (length(root) = 32),
  -- The hash of all of the above but the tenant: what roots of invoice lines are over.
  leaf bytea not null check (length(leaf) = 32),
  counted_at timestamptz not null,
  -- The tenant's last invoice when it was counted: invoices after it bill it, none before.
  after_invoice text,
  primary key (tenant, report_id, hour, meter, package, version, dimensions_key)
);
create index contributions_hours on metering.contributions (tenant, meter, hour);
comment on table metering.contributions is 'what each report added to each hour, with the root over its records [receipt]';

-- Where the report stands in the log, for as long as the log keeps it; null for what was counted before.
alter table metering.reports add column log_partition int, add column log_position text;

alter table metering.contributions enable row level security;
alter table metering.contributions force row level security;
create policy consumer on metering.contributions to atom_metering using (true) with check (true);
create policy own on metering.contributions for select to atom_app
  using (tenant = platform.current_org() or platform.is_operator());
grant select on metering.contributions to atom_app;
grant select, insert on metering.contributions to atom_metering;
