grant usage on schema metering to atom_app, atom_metering;

-- Packages that are public, as told by wpk.published: who earns from usage of them.
create table metering.packages (
  partner text not null,
  package text not null,
  published_at timestamptz not null,
  primary key (partner, package)
);
create index packages_name on metering.packages (package);
comment on table metering.packages is 'published packages and who earns from them [configuration]';

create table metering.plans (
  partner text not null references platform.orgs,
  id uuid not null,
  name text not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  effective_from timestamptz not null,
  body jsonb not null,
  created_at timestamptz not null,
  primary key (partner, id)
);
comment on table metering.plans is 'price plans of partners [configuration]';

create table metering.subscriptions (
  tenant text not null references platform.orgs,
  id uuid not null,
  partner text not null references platform.orgs,
  package text not null,
  plan_id uuid not null,
  currency text not null,
  starts_at timestamptz not null,
  ends_at timestamptz,
  primary key (tenant, id),
  foreign key (partner, plan_id) references metering.plans (partner, id)
);
create unique index subscriptions_open on metering.subscriptions (tenant, package) where ends_at is null;
create index subscriptions_partner on metering.subscriptions (partner, tenant);
comment on table metering.subscriptions is 'who uses which package under which plan [configuration]';

-- Identity of a record is (tenant, id); 128 bits of its hash are kept, and 64 of its content to tell a conflict.
create table metering.dedupe (
  tenant text not null,
  record_key bytea not null check (length(record_key) = 16),
  content_key bytea not null check (length(content_key) = 8),
  first_seen timestamptz not null,
  primary key (tenant, record_key)
);
create index dedupe_seen on metering.dedupe using brin (first_seen);
comment on table metering.dedupe is 'hashes of usage records that counted [hash]';

create table metering.rollups (
  tenant text not null,
  hour timestamptz not null,
  meter text not null,
  package text not null,
  dimensions jsonb not null,
  dimensions_key bytea not null,
  quantity numeric not null check (quantity >= 0 and quantity < 'Infinity'),
  records bigint not null,
  primary key (tenant, hour, meter, package, dimensions_key)
) with (fillfactor = 70);
comment on table metering.rollups is 'usage per hour [aggregate]';

create table metering.reports (
  tenant text not null,
  report_id uuid not null,
  reporter text not null,
  received_at timestamptz not null,
  record_count int not null,
  root text not null,
  primary key (tenant, report_id)
);
comment on table metering.reports is 'receipts of reports [receipt]';

create table metering.exceptions (
  tenant text not null,
  report_id uuid not null,
  record_index int not null,
  status text not null check (status in ('duplicate', 'conflict', 'late', 'unpriced', 'quarantined')),
  primary key (tenant, report_id, record_index),
  foreign key (tenant, report_id) references metering.reports (tenant, report_id)
);
comment on table metering.exceptions is 'records of a report that did not simply count [receipt]';

create table metering.invoices (
  tenant text not null references platform.orgs,
  id uuid not null,
  period text not null check (period ~ '^\d{4}-\d{2}$'),
  status text not null check (status in ('gathering', 'issued')),
  currency text not null,
  number text,
  body bytea,
  sha256 text,
  issued_at timestamptz,
  -- Set by new usage, cleared by the rating that followed it.
  stale boolean not null default false,
  primary key (tenant, id),
  unique (tenant, period),
  check ((status = 'issued') = (number is not null and body is not null and sha256 is not null))
);
create unique index invoices_number on metering.invoices (number);
comment on table metering.invoices is 'invoices; an issued one never changes [aggregate]';

create index invoices_stale on metering.invoices (tenant, period) where stale;

-- Issued months that got usage afterwards; the next invoice bills the difference.
create table metering.late_periods (
  tenant text not null,
  period text not null,
  primary key (tenant, period)
);
comment on table metering.late_periods is 'issued months with later usage [aggregate]';

-- One row, locked while a number is taken: gap-free, because the number and the invoice commit together.
create table metering.invoice_sequence (seller text primary key, last_number bigint not null);
insert into metering.invoice_sequence values ('atom', 0);
comment on table metering.invoice_sequence is 'last invoice number of each seller [configuration]';

create function metering.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'an issued invoice and a ledger posting never change' using errcode = 'integrity_constraint_violation';
end $$;
create trigger issued_never_changes before update or delete on metering.invoices
  for each row when (old.status = 'issued') execute function metering.refuse_change();

-- Double entry: the entries of one posting sum to zero; debit positive, credit negative.
create table metering.ledger (
  tenant text not null,
  posting_id uuid not null,
  entry int not null,
  invoice_id uuid not null,
  account text not null check (account in ('tenant_receivable', 'partner_payable', 'platform_fee', 'tax_payable')),
  partner text,
  currency text not null,
  amount numeric not null check (amount > '-Infinity' and amount < 'Infinity'),
  posted_at timestamptz not null,
  primary key (tenant, posting_id, entry),
  foreign key (tenant, invoice_id) references metering.invoices (tenant, id)
);
create index ledger_partner on metering.ledger (partner) where partner is not null;
comment on table metering.ledger is 'postings of issued invoices [aggregate]';
create trigger ledger_is_append_only before update or delete on metering.ledger
  for each row execute function metering.refuse_change();

create function metering.posting_balances() returns trigger language plpgsql as $$
begin
  if (select sum(amount) from metering.ledger where tenant = new.tenant and posting_id = new.posting_id) <> 0 then
    raise exception 'posting % does not balance', new.posting_id using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger ledger_balances after insert on metering.ledger
  deferrable initially deferred for each row execute function metering.posting_balances();

do $$
declare name text;
begin
  foreach name in array array['packages', 'plans', 'subscriptions', 'dedupe', 'rollups', 'reports', 'exceptions',
                              'invoices', 'ledger', 'late_periods'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    -- Metering is cross-tenant by nature: a role of its own with a policy of its own, never a bypass.
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
  end loop;
  foreach name in array array['dedupe', 'rollups', 'reports', 'exceptions', 'invoices',
                              'late_periods'] loop
    execute format('create policy own on metering.%I for select to atom_app
      using (tenant = platform.current_org() or platform.is_operator())', name);
  end loop;
end $$;
create policy known on metering.packages for select to atom_app using (platform.current_org() is not null);
create policy own on metering.plans to atom_app
  using (partner = platform.current_org() or platform.is_operator())
  with check (partner = platform.current_org() or platform.is_operator());
create policy subscribed on metering.plans for select to atom_app using (exists (
  select 1 from metering.subscriptions s
  where s.plan_id = plans.id and s.partner = plans.partner and s.tenant = platform.current_org()));
-- Both sides of a subscription see it; either may start one, under a plan it can see.
create policy sides on metering.subscriptions to atom_app
  using (tenant = platform.current_org() or partner = platform.current_org() or platform.is_operator())
  with check (tenant = platform.current_org() or partner = platform.current_org() or platform.is_operator());
create policy tenant_side on metering.ledger for select to atom_app
  using (tenant = platform.current_org() or platform.is_operator());
create policy partner_side on metering.ledger for select to atom_app
  using (partner = platform.current_org() and account = 'partner_payable');
-- A report of a partner for its tenant: the reporter may read the receipt it was given.
create policy reporter on metering.reports for select to atom_app using (reporter = platform.current_org());
-- Without its exceptions the same receipt would say that every record counted.
create policy reporter on metering.exceptions for select to atom_app using (exists (
  select 1 from metering.reports r
  where r.tenant = exceptions.tenant and r.report_id = exceptions.report_id and r.reporter = platform.current_org()));

grant select on all tables in schema metering to atom_app;
revoke select on metering.invoice_sequence from atom_app;
grant insert on metering.plans to atom_app;
grant insert, update on metering.subscriptions to atom_app;
grant select, insert, update on all tables in schema metering to atom_metering;
grant delete on metering.dedupe, metering.late_periods to atom_metering;
grant select on platform.orgs to atom_metering;
create policy consumers on platform.orgs for select to atom_metering using (true);
