-- Whose a row is was asked of the settings of the transaction again for every row; in a subquery it is asked once for a
-- statement, which makes the sum over a month of usage cost a third. The rule is the same.
do $$
declare one record;
begin
  for one in
    select tablename, policyname from pg_policies
    where schemaname = 'metering' and qual = '((tenant = platform.current_org()) OR platform.is_operator())'
  loop
    execute format('alter policy %I on metering.%I
      using (tenant = (select platform.current_org()) or (select platform.is_operator()))', one.policyname, one.tablename);
  end loop;
end $$;

-- Telling who collects that an invoice was paid to us: as metering.credit_note_sends, once for an invoice.
create table metering.paid_sends (
  tenant text not null,
  invoice_id uuid not null,
  sink text not null check (sink in ('stripe')),
  state text not null check (state in ('pending', 'sent', 'failed')),
  attempts int not null default 0,
  key_generation int not null default 1,
  next_attempt_at timestamptz not null,
  last_error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, invoice_id, sink),
  foreign key (tenant, invoice_id) references metering.invoices (tenant, id),
  check (state <> 'failed' or last_error is not null)
);
create index paid_sends_due on metering.paid_sends (next_attempt_at) where state = 'pending';
create index payments_received_by_hand on metering.payments_received (tenant, invoice_id) where source = 'hand';
comment on table metering.paid_sends is 'how far telling who collects of payments by other means has come [aggregate]';

-- What Stripe found wrong with usage after it had taken it. Counts and codes, never the texts, which may quote a payload.
create table metering.stripe_meter_errors (
  id text primary key,
  -- Stripe's own id of the meter; null where the usage named none that there is.
  meter text,
  validated_from timestamptz not null,
  validated_to timestamptz not null,
  errors bigint not null check (errors >= 0),
  -- By code: how many, and how many of the windows named as samples were found here.
  codes jsonb not null,
  received_at timestamptz not null,
  settled_at timestamptz,
  settled_by text,
  check ((settled_at is null) = (settled_by is null))
);
create index stripe_meter_errors_open on metering.stripe_meter_errors (received_at) where settled_at is null;
comment on table metering.stripe_meter_errors is 'what meters of Stripe refused after they had taken it [aggregate]';
-- A refused identifier is known there: what is told again after that goes under another.
alter table metering.stripe_meter_windows add column identifier_no int not null default 1 check (identifier_no > 0);

do $$
declare name text;
begin
  foreach name in array array['paid_sends', 'stripe_meter_errors'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy finance on metering.%I for select to atom_app using (platform.is_operator())', name);
  end loop;
end $$;
grant select on metering.paid_sends, metering.stripe_meter_errors to atom_app;
grant select, insert, update on metering.paid_sends, metering.stripe_meter_errors to atom_metering;
