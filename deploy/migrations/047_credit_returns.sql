-- What prepaid credits paid of an invoice comes back to them when the invoice is void or credited.
alter table metering.ledger drop constraint ledger_kind_check;
alter table metering.ledger add constraint ledger_kind_check check (kind in (
  'invoice', 'credit_note', 'payment', 'write_off', 'grant', 'credit_use', 'credit_return', 'credit_expiry'));

-- What comes back is below zero: a credit's movements still sum to what is gone of it.
alter table metering.credit_movements
  drop constraint credit_movements_kind_check,
  drop constraint credit_movements_amount_check,
  drop constraint credit_movements_check,
  add constraint credit_movements_kind_check check (kind in ('invoice', 'return', 'deduction', 'expiry', 'void')),
  add constraint credit_movements_amount_check
    check (amount <> 0 and (amount < 0) = (kind = 'return') and amount > '-Infinity' and amount < 'Infinity'),
  add constraint credit_movements_of_invoice check ((kind in ('invoice', 'return')) = (invoice_id is not null));

-- Until when it was granted, where money that came back late lets it live longer.
alter table metering.credits add column granted_until timestamptz;
grant update (expires_at, granted_until) on metering.credits to atom_metering;

-- Of what an invoice's credit notes gave back, what went to prepaid credits; and the same of each note.
alter table metering.invoice_life
  add column returned numeric not null default 0,
  add constraint invoice_life_returned check (returned = 0 or (returned > 0 and returned <= total - amount_due));
alter table metering.credit_notes
  add column returned numeric not null default 0,
  add constraint credit_notes_returned check (returned = 0 or (returned > 0 and returned <= total));
