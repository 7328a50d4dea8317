-- Not every posting is of an invoice any more: money comes in, is given back, is paid in advance or is never paid.
alter table metering.ledger
  alter column invoice_id drop not null,
  add column kind text not null default 'invoice'
    check (kind in ('invoice', 'credit_note', 'payment', 'write_off', 'grant', 'credit_use', 'credit_expiry')),
  -- What the posting is of beside an invoice: a credit note, a payment, a grant of prepaid credits.
  add column document_id uuid;
alter table metering.ledger alter column kind drop default;
alter table metering.ledger drop constraint ledger_account_check;
alter table metering.ledger add constraint ledger_account_check check (account in (
  'tenant_receivable', 'partner_payable', 'platform_fee', 'tax_payable', 'cash', 'bad_debt', 'prepaid_credits',
  'promotion', 'breakage', 'rounding'));
alter table metering.ledger add constraint ledger_names_its_document
  check (invoice_id is not null or document_id is not null);
comment on table metering.ledger is 'postings of everything that money was owed or paid for [aggregate]';
