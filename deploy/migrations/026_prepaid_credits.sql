-- Prepaid money. `remaining` is made of the columns that movements add to, so that it cannot say anything else.
create table metering.credits (
  tenant text not null references platform.orgs,
  id uuid not null,
  -- What makes a repeated grant the same: finance's own reference, or the subscription and place in its plan.
  source text not null check (source in ('manual', 'plan')),
  reference text not null,
  kind text not null check (kind in ('paid', 'promotional')),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  amount numeric not null check (amount > 0 and amount < 'Infinity'),
  used numeric not null default 0 check (used >= 0),
  expired numeric not null default 0 check (expired >= 0),
  voided numeric not null default 0 check (voided >= 0),
  remaining numeric generated always as (amount - used - expired - voided) stored check (remaining >= 0),
  -- Deducted already, but on no invoice yet: the next one counts it as paid.
  on_account numeric not null default 0 check (on_account >= 0 and on_account <= used),
  -- Indexed instead of `remaining`, which changes with every deduction and would write the index each time.
  open boolean generated always as (amount - used - expired - voided > 0 or on_account > 0) stored,
  priority int not null default 0,
  starts_at timestamptz not null,
  expires_at timestamptz,
  -- Charges or meters that it pays for, and the package whose plan it came with; null for everything.
  applies_to text[],
  package text,
  -- Who bears a promotion: the partner whose plan has it, null for the operator.
  partner text,
  void_reason text,
  created_at timestamptz not null,
  primary key (tenant, id),
  check ((voided > 0) = (void_reason is not null))
) with (fillfactor = 70);
create unique index credits_reference on metering.credits (tenant, source, reference);
create index credits_open on metering.credits (tenant) where open;
create index credits_expiring on metering.credits (expires_at) where open;
create index credits_newest on metering.credits (id desc);
comment on table metering.credits is 'prepaid credits of tenants and what is left of them [account]';

create table metering.credit_movements (
  tenant text not null,
  credit_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('invoice', 'deduction', 'expiry', 'void')),
  -- What was taken.
  amount numeric not null check (amount > 0 and amount < 'Infinity'),
  invoice_id uuid,
  deduction_id text,
  posting_id uuid not null,
  at timestamptz not null,
  primary key (tenant, credit_id, id),
  foreign key (tenant, credit_id) references metering.credits (tenant, id),
  check ((kind = 'invoice') = (invoice_id is not null)),
  check ((kind = 'deduction') = (deduction_id is not null))
);
create index credit_movements_deduction on metering.credit_movements (tenant, deduction_id)
  where deduction_id is not null;
comment on table metering.credit_movements is 'what was taken from prepaid credits, and why [aggregate]';
create trigger movements_are_append_only before update or delete on metering.credit_movements
  for each row execute function metering.refuse_change();

-- Deductions by the id that their caller gave them: a repeated one takes nothing.
create table metering.credit_deductions (
  tenant text not null references platform.orgs,
  id text not null,
  currency text not null,
  amount numeric not null check (amount > 0 and amount < 'Infinity'),
  meter text,
  package text,
  at timestamptz not null,
  primary key (tenant, id)
);
comment on table metering.credit_deductions is 'deductions that took prepaid credits [aggregate]';

do $$
declare name text;
begin
  foreach name in array array['credits', 'credit_movements', 'credit_deductions'] loop
    execute format('alter table metering.%I enable row level security', name);
    execute format('alter table metering.%I force row level security', name);
    execute format('create policy consumer on metering.%I to atom_metering using (true) with check (true)', name);
    execute format('create policy own on metering.%I for select to atom_app
      using (tenant = platform.current_org() or platform.is_operator())', name);
    execute format('grant select on metering.%I to atom_app', name);
    execute format('grant select, insert on metering.%I to atom_metering', name);
  end loop;
end $$;
grant update (used, expired, voided, on_account, void_reason) on metering.credits to atom_metering;
