import { uuidv7 } from 'uuidv7'
import { publish } from '../../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { fault } from '../../../platform/fault.ts'
import { paymentSucceeded } from '../../../schemas/events/payment.succeeded.ts'
import { SOURCE } from '../deps.ts'
import { billingError } from '../errors.ts'
import { type Entry, post } from '../ledger.ts'
import { currencyDigits } from '../rating/currency.ts'
import { holdLife, type LifeRow, noteLife } from './stored-life.ts'

export type Received = {
  source: 'hand' | 'stripe'
  /** The payer's or collector's name for it: heard of twice, it counts once. */
  reference: string
  amount: Decimal
  paidAt: Date
  by: string
}
export type PaymentRow = {
  id: string
  amount: string
  currency: string
  paid_at: Date
  reference: string
  source: string
  recorded_by: string
}

/**
 * Records money received for an issued invoice and posts it, in the transaction that holds the invoice. `rounding` of it
 * is what the collector's smallest amount added. False when it was recorded before.
 */
export async function receivePayment(
  tx: Tx,
  invoice: LifeRow,
  received: Received,
  at: Date,
  rounding: Decimal = 0n,
): Promise<{ payment: PaymentRow; isNew: boolean }> {
  const { tenant, id: invoice_id, currency } = invoice
  const { source, reference, amount, paidAt, by } = received
  const known = await row<PaymentRow>(
    tx,
    `select id, amount::text, currency, paid_at, reference, source, recorded_by from metering.payments_received
     where tenant = ? and invoice_id = ? and source = ? and reference = ?`,
    [tenant, invoice_id, source, reference],
  )
  if (known) {
    if (decimal(known.amount) === amount && known.paid_at.getTime() === paidAt.getTime())
      return { payment: known, isNew: false }
    throw billingError('reference_taken', `a payment of ${known.amount} ${currency} has this reference already`)
  }
  const text = (value: Decimal) => formatDecimal(value, currencyDigits(currency))
  const id = uuidv7()
  await execute(
    tx,
    `insert into metering.payments_received (tenant, id, invoice_id, source, reference, amount, currency, paid_at,
       recorded_by, recorded_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [tenant, id, invoice_id, source, reference, text(amount), currency, paidAt, by, at],
  )
  const settles = amount - rounding
  const entries: Entry[] = [
    { account: 'cash', amount: text(amount) },
    // What was written off is not owed any more: money that comes all the same makes good for the loss.
    { account: invoice.uncollectible_at ? 'bad_debt' : 'tenant_receivable', amount: text(-settles) },
    ...(rounding === 0n ? [] : [{ account: 'rounding' as const, amount: text(-rounding) }]),
  ]
  await post(tx, { tenant, kind: 'payment', invoice_id, document_id: id, currency, entries }, at)
  await noteLife(tx, invoice, { paid: formatDecimal(decimal(invoice.paid ?? '0') + settles) })
  fault('payments.after-posting')
  const payment = { id, amount: text(amount), currency, paid_at: paidAt, reference, source, recorded_by: by }
  return { payment, isNew: true }
}

/**
 * The collector says that an invoice is paid. What has come in is the amount due, less the credit notes that it was told
 * of and what was paid by other means: a note it did not know of yet makes it collect more than is owed, and the tenant
 * is owed the difference. Returns false where other payments had settled the invoice before.
 */
export async function receiveTold(
  tx: Tx,
  invoiceId: string,
  told: { source: 'stripe'; reference: string; rounding: Decimal; at: Date },
  now: Date,
): Promise<boolean> {
  const invoice = await holdLife(tx, invoiceId)
  const notes = await row<{ total: string }>(
    tx,
    `select coalesce(sum(c.total), 0)::text as total from metering.credit_notes c
     join metering.credit_note_sends s on s.tenant = c.tenant and s.credit_note_id = c.id and s.state = 'sent'
     where c.tenant = ? and c.invoice_id = ?`,
    [invoice.tenant, invoice.id],
  )
  const [amountDue, paid] = [decimal(invoice.amount_due ?? '0'), decimal(invoice.paid ?? '0')]
  const collected = amountDue - decimal(notes?.total ?? '0') - paid
  // What was paid or given back in part was not rounded by the collector.
  const rounding = collected === amountDue ? told.rounding : 0n
  if (collected <= 0n || collected + rounding <= 0n) return paid === 0n
  const { source, reference, at: paidAt } = told
  await receivePayment(
    tx,
    invoice,
    { source, reference, amount: collected + rounding, paidAt, by: source },
    now,
    rounding,
  )
  return true
}

/** Announces an invoice that was paid by hand in full. */
export async function announcePaid(tx: Tx, invoice: LifeRow, payment: PaymentRow, at: Date): Promise<void> {
  const { tenant, id: invoice_id, number, period, currency, amount_due } = invoice
  const named = { invoice_id, number: number as string, tenant, period, currency }
  const amount = formatDecimal(decimal(amount_due ?? '0'), currencyDigits(currency))
  const event = paymentSucceeded.create(
    { ...named, amount, sink: 'hand', occurred_at: payment.paid_at.toISOString() },
    { source: SOURCE, now: at, subject: tenant },
  )
  await publish(tx, paymentSucceeded, [event])
}
