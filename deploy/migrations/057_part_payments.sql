-- Of a part of an invoice that was paid by other means, the payment; null tells that the invoice is paid.
alter table metering.paid_sends add column payment_id uuid;
alter table metering.paid_sends drop constraint paid_sends_pkey;
alter table metering.paid_sends add constraint paid_sends_once
  unique nulls not distinct (tenant, invoice_id, sink, payment_id);
alter table metering.paid_sends add foreign key (tenant, payment_id) references metering.payments_received (tenant, id);
