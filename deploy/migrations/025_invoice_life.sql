-- What happens to an invoice beside its text: held back, approved, due, paid, credited, void. Its bytes never change, so
-- all of this lives here; an invoice without a row has not been touched yet.
create table metering.invoice_life (
  tenant text not null,
  invoice_id uuid not null,
  -- Asked for by issuing, when a plan wants a person to look first.
  approval_asked_at timestamptz,
  approved_at timestamptz,
  approved_by text,
  -- A check of what was about to be issued failed; null again once it passes.
  parked_code text,
  parked_repair text,
  -- Attempts to issue that threw, since the last that did not.
  issue_attempts int not null default 0,
  issue_error text,
  issue_next_at timestamptz,
  -- From here on: of issued invoices.
  due_at timestamptz,
  total numeric check (total > '-Infinity' and total < 'Infinity'),
  amount_due numeric check (amount_due > '-Infinity' and amount_due < 'Infinity'),
  -- Sums of its credit notes and payments, kept under the lock of the invoice.
  credited numeric not null default 0,
  paid numeric not null default 0 check (paid >= 0 and paid < 'Infinity'),
  voided_at timestamptz,
  rebilled boolean not null default false,
  uncollectible_at timestamptz,
  reason text,
  primary key (tenant, invoice_id),
  foreign key (tenant, invoice_id) references metering.invoices (tenant, id),
  check ((approved_at is null) = (approved_by is null)),
  check ((parked_code is null) = (parked_repair is null)),
  check ((issue_error is null) = (issue_next_at is null)),
  check (voided_at is null or uncollectible_at is null),
  check (not rebilled or voided_at is not null),
  -- No more is given back than was billed; a void takes back the whole, whatever its sign.
  check (credited = 0 or credited = total or (credited > 0 and credited <= total))
);
create index invoice_life_due on metering.invoice_life (due_at) where due_at is not null and voided_at is null;
comment on table metering.invoice_life is 'what happens to each invoice beside its text [aggregate]';
insert into metering.invoice_life (tenant, invoice_id, due_at, total, amount_due)
  select tenant, id, issued_at + interval '30 days', (convert_from(body, 'UTF8')::jsonb ->> 'total')::numeric,
    (convert_from(body, 'UTF8')::jsonb ->> 'amount_due')::numeric
  from metering.invoices where status = 'issued';

-- Calls name an invoice by its id alone.
create unique index invoices_id on metering.invoices (id);

create table metering.credit_notes (
  tenant text not null,
  id uuid not null,
  invoice_id uuid not null,
  number text not null unique,
  kind text not null check (kind in ('credit', 'void')),
  reason text not null,
  -- The caller's name for it: asking for it again under the same one gives the same note.
  reference text,
  currency text not null,
  total numeric not null check (total > '-Infinity' and total < 'Infinity'),
  body bytea not null,
  sha256 text not null,
  issued_at timestamptz not null,
  issued_by text not null,
  primary key (tenant, id),
  foreign key (tenant, invoice_id) references metering.invoices (tenant, id)
);
create unique index credit_notes_void on metering.credit_notes (tenant, invoice_id) where kind = 'void';
create unique index credit_notes_reference on metering.credit_notes (tenant, invoice_id, reference);
create index credit_notes_invoice on metering.credit_notes (tenant, invoice_id);
comment on table metering.credit_notes is 'what was given back of issued invoices; never changes [aggregate]';
create trigger credit_notes_never_change before update or delete on metering.credit_notes
  for each row execute function metering.refuse_change();

-- A partner's part of a credit note, without the tenant's text of it.
create table metering.credit_note_shares (
  tenant text not null,
  credit_note_id uuid not null,
  partner text not null,
  number text not null,
  period text not null,
  currency text not null,
  gross numeric not null,
  partner_share numeric not null,
  platform_fee numeric not null,
  tax numeric not null,
  issued_at timestamptz not null,
  primary key (tenant, credit_note_id, partner),
  foreign key (tenant, credit_note_id) references metering.credit_notes (tenant, id)
);
create index credit_note_shares_partner on metering.credit_note_shares (partner, number);
comment on table metering.credit_note_shares is 'what each partner gives back of a credit note [aggregate]';
create trigger credit_note_shares_never_change before update or delete on metering.credit_note_shares
  for each row execute function metering.refuse_change();

-- One row, locked while a number is taken, as for invoices.
create table metering.credit_note_sequence (seller text primary key, last_number bigint not null);
insert into metering.credit_note_sequence values ('atom', 0);
comment on table metering.credit_note_sequence is 'last credit note number of each seller [configuration]';

create table metering.payments_received (
  tenant text not null,
  id uuid not null,
  invoice_id uuid not null,
  -- Who says so: finance, or who collects.
  source text not null check (source in ('hand', 'stripe')),
  reference text not null,
  amount numeric not null check (amount > 0 and amount < 'Infinity'),
  currency text not null,
  paid_at timestamptz not null,
  recorded_by text not null,
  recorded_at timestamptz not null,
  primary key (tenant, id),
  unique (tenant, invoice_id, source, reference),
  foreign key (tenant, invoice_id) references metering.invoices (tenant, id)
);
comment on table metering.payments_received is 'money received for issued invoices [aggregate]';
create trigger payments_received_never_change before update or delete on metering.payments_received
  for each row execute function metering.refuse_change();

-- Sending credit notes to who collects: as metering.payment_sends, of one step.
create table metering.credit_note_sends (
  tenant text not null,
  credit_note_id uuid not null,
  sink text not null check (sink in ('stripe')),
  action text not null check (action in ('credit_note', 'void')),
  state text not null check (state in ('pending', 'sent', 'failed', 'dry_run', 'skipped')),
  attempts int not null default 0,
  key_generation int not null default 1,
  next_attempt_at timestamptz not null,
  external_id text,
  last_error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant, credit_note_id, sink),
  foreign key (tenant, credit_note_id) references metering.credit_notes (tenant, id),
  check (state <> 'failed' or last_error is not null)
);
create index credit_note_sends_due on metering.credit_note_sends (next_attempt_at) where state = 'pending';
comment on table metering.credit_note_sends is 'how far telling who collects of each credit note has come [aggregate]';

-- A partner's share from a month on. Rows are added, never changed: what was split stays split.
create table metering.share_contracts (
  partner text not null references platform.orgs,
  effective_from date not null check (extract(day from effective_from) = 1),
  partner_share_percent numeric not null check (partner_share_percent >= 0 and partner_share_percent <= 100),
  made_by text not null,
  made_at timestamptz not null,
  primary key (partner, effective_from)
);
comment on table metering.share_contracts is 'revenue share of each partner, by month of effect [configuration]';
create trigger share_contracts_never_change before update or delete on metering.share_contracts
  for each row execute function metering.refuse_change();

do $$
declare name text;
begin
  foreach name in array array['invoice_life', 'credit_notes', 'credit_note_shares', 'payments_received',
                              'credit_note_sends', 'share_contracts'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
  end loop;
  foreach name in array array['invoice_life', 'credit_notes', 'payments_received'] loop
    execute format('create policy own on metering.%I for select to atom_app
      using (tenant = platform.current_org() or platform.is_operator())', name);
  end loop;
  foreach name in array array['credit_note_shares', 'share_contracts'] loop
    execute format('create policy own on metering.%I for select to atom_app
      using (partner = platform.current_org() or platform.is_operator())', name);
  end loop;
end $$;
create policy finance on metering.credit_note_sends for select to atom_app using (platform.is_operator());

grant select on metering.invoice_life, metering.credit_notes, metering.credit_note_shares, metering.payments_received,
  metering.credit_note_sends, metering.share_contracts to atom_app;
grant select, insert, update on metering.invoice_life, metering.credit_note_sends, metering.credit_note_sequence
  to atom_metering;
grant select, insert on metering.credit_notes, metering.credit_note_shares, metering.payments_received,
  metering.share_contracts to atom_metering;

-- Analytics takes credit notes off revenue: a row each, so that hearing of one twice changes nothing.
create table read.credits (
  partner text not null,
  tenant text not null,
  credit_note_id uuid not null,
  period text not null,
  currency text not null,
  gross numeric not null,
  partner_share numeric not null,
  platform_fee numeric not null,
  tax numeric not null,
  as_of timestamptz not null,
  primary key (partner, tenant, credit_note_id)
);
comment on table read.credits is 'what each partner gave back of each tenant and month [aggregate]';
alter table read.credits enable row level security;
alter table read.credits force row level security;
create policy writer on read.credits to atom_analytics using (true) with check (true);
create policy own on read.credits for select to atom_portal
  using (partner = platform.current_org() or platform.is_operator());
grant select, insert, update, delete on read.credits to atom_analytics;
grant select on read.credits to atom_portal;
