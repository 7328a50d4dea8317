-- What is sent to those who collect the money. Sending is a state of its own: an invoice is issued whether or not it
-- could be sent, and a step that failed is repeated without those before it.
create table metering.payment_sends (
  tenant text not null,
  invoice_id uuid not null,
  sink text not null check (sink in ('stripe')),
  -- The next step to take; 'done' after the last.
  step text not null check (step in ('customer', 'invoice', 'items', 'finalize', 'done')),
  state text not null check (state in ('pending', 'sent', 'failed', 'dry_run')),
  -- Of the step at hand, counted before it is tried: a step tried before may have had its effect.
  attempts int not null default 0,
  -- Part of the idempotency keys; raised where the answer kept under a key is a failure.
  key_generation int not null default 1,
  next_attempt_at timestamptz not null,
  external_id text,
  last_error text,
  -- What the sink's smallest amount adds to or takes from the total.
  rounding numeric not null default 0,
  would_send jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, invoice_id, sink),
  foreign key (tenant, invoice_id) references metering.invoices (tenant, id),
  check ((state = 'sent') = (step = 'done')),
  check ((state = 'dry_run') = (would_send is not null)),
  check (state <> 'failed' or last_error is not null)
);
create index payment_sends_due on metering.payment_sends (next_attempt_at) where state = 'pending';
create unique index payment_sends_external on metering.payment_sends (sink, external_id);
create index payment_sends_newest on metering.payment_sends (created_at desc, invoice_id desc);
comment on table metering.payment_sends is 'how far sending each invoice for payment has come [aggregate]';

create table metering.payment_customers (
  tenant text not null references platform.orgs,
  sink text not null,
  external_id text not null,
  primary key (tenant, sink)
);
comment on table metering.payment_customers is 'what those who collect call each tenant [account]';

-- What they told of an invoice. It only ever moves forward, so that repeated and reordered events are harmless.
create table metering.payment_states (
  tenant text not null,
  invoice_id uuid not null,
  sink text not null,
  state text not null check (state in ('payment_failed', 'uncollectible', 'void', 'paid')),
  occurred_at timestamptz not null,
  event_id text not null,
  primary key (tenant, invoice_id, sink),
  foreign key (tenant, invoice_id, sink) references metering.payment_sends (tenant, invoice_id, sink)
);
comment on table metering.payment_states is 'whether each sent invoice was paid [aggregate]';

create table metering.payment_events_seen (
  sink text not null,
  event_id text not null,
  seen_at timestamptz not null,
  primary key (sink, event_id)
);
create index payment_events_seen_at on metering.payment_events_seen using brin (seen_at);
comment on table metering.payment_events_seen is 'ids of webhook events that were applied [receipt]';

-- Invoices from before this version are not sent by themselves: they may have been collected by other means.
insert into metering.payment_sends (tenant, invoice_id, sink, step, state, next_attempt_at, would_send, created_at, updated_at)
  select tenant, id, 'stripe', 'customer', 'dry_run', now(), '{"reason": "issued before payments were sent"}',
    date_trunc('milliseconds', now()), now()
  from metering.invoices where status = 'issued';

do $$
declare name text;
begin
  foreach name in array array['payment_sends', 'payment_customers', 'payment_states'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy finance on metering.%I for select to atom_app using (platform.is_operator())', name);
  end loop;
end $$;

grant select on metering.payment_sends, metering.payment_customers, metering.payment_states to atom_app;
grant select, insert, update on metering.payment_sends, metering.payment_customers, metering.payment_states
  to atom_metering;
grant select, insert, delete on metering.payment_events_seen to atom_metering;
