import { keyLock } from '../../../platform/bus/outbox.ts'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { topics } from '../../../schemas/topics.ts'
import { markBillingLate } from '../count-report.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'
import { post } from '../ledger.ts'
import { currencyDigits } from '../rating/currency.ts'
import type { Wanted } from './credit-amounts.ts'
import { type CreditNote, frozenInvoice, issueCreditNote } from './credit-note.ts'
import { type InvoiceAction, invoiceState, openAmount } from './invoice-state.ts'
import { announcePaid, type PaymentRow, receivePayment } from './receive-payment.ts'
import { factsOf, holdLife, type LifeRow, noteLife } from './stored-life.ts'

/** What finance does to invoices. Each is one transaction that holds the invoice, and doing it again changes nothing. */
type Act = { deps: MeteringDeps; tenant: string; id: string; by: string }

/** The key of the tenant's events first, for readers follow transaction ids; then the invoice. */
function holding<T>({ deps, tenant, id }: Act, work: (tx: Tx, invoice: LifeRow, at: Date) => Promise<T>): Promise<T> {
  return deps.allTenants.transaction(async (tx) => work(tx, await holdLife(tx, id), deps.now()), {
    locks: [keyLock(topics.billing, tenant)],
  })
}

const stateOf = ({ deps }: Act, invoice: LifeRow, at: Date) => invoiceState(factsOf(invoice, deps.collectionHours), at)

function allow(act: Act, invoice: LifeRow, action: InvoiceAction, at: Date): void {
  const { state, actions } = stateOf(act, invoice, at)
  if (actions.includes(action)) return
  const may = actions.length === 0 ? 'nothing can be done to it' : `it allows ${actions.join(', ')}`
  throw billingError('invoice_action_refused', `the invoice is ${state}: ${may}`)
}

/** Lets an invoice that waits for a person be issued. */
export const approve = (act: Act): Promise<void> =>
  holding(act, async (tx, invoice, at) => {
    if (invoice.approved_at) return
    allow(act, invoice, 'approve', at)
    await noteLife(tx, invoice, { approved_at: at, approved_by: act.by })
  })

/** Takes back all that is left of an invoice; with `rebill` the next one bills the same months anew. */
export const voidInvoice = (act: Act, reason: string, rebill: boolean): Promise<CreditNote> =>
  holding(act, async (tx, invoice, at) => {
    if (invoice.voided_at) return knownVoid(tx, invoice, rebill)
    allow(act, invoice, 'void', at)
    // Before prepaid credits get theirs back: whoever changes a wallet locks open months first.
    if (rebill) await billAnew(tx, invoice, at)
    const wanted = { kind: 'void' as const, wanted: { all: true as const }, reference: null, by: act.by }
    const note = await issueCreditNote(tx, invoice, { ...wanted, reason, rebill }, at)
    await noteLife(tx, invoice, { voided_at: at, rebilled: rebill, reason })
    await stopSending(tx, invoice, 'void', at)
    return note
  })

/** What was not sent yet is not sent any more. A last step may have had its effect, so it is finished. */
const stopSending = (tx: Tx, { tenant, id }: LifeRow, why: 'void' | 'paid_by_hand', at: Date): Promise<number> =>
  execute(
    tx,
    `insert into metering.payment_sends (tenant, invoice_id, sink, step, state, next_attempt_at, last_error, created_at,
       updated_at) values (?, ?, 'stripe', 'customer', 'skipped', ?, ?, ?, ?)
     on conflict (tenant, invoice_id, sink) do update
       set state = 'skipped', last_error = excluded.last_error, would_send = null, updated_at = excluded.updated_at
       where payment_sends.state in ('pending', 'failed', 'dry_run') and payment_sends.step <> 'finalize'`,
    [tenant, id, at, why, at, at],
  )

async function knownVoid(tx: Tx, invoice: LifeRow, rebill: boolean): Promise<CreditNote> {
  const note = await noteWhere(tx, invoice, "kind = 'void'", [])
  if (note === null || note.rebilled !== rebill)
    throw billingError(
      'invoice_action_refused',
      `the invoice is void already, ${rebill ? 'and not' : 'but'} billed anew`,
    )
  return note
}

/** Every month that the invoice billed counts as late: nothing is booked for it now but what other invoices say. */
async function billAnew(tx: Tx, { tenant, id, period }: LifeRow, at: Date): Promise<void> {
  const { lines, taxes } = await frozenInvoice(tx, tenant, id)
  const months = [...new Set([...lines.map((line) => line.period), ...taxes.map((tax) => tax.period ?? period)])]
  await markBillingLate(tx, tenant, months, at)
  await execute(
    tx,
    'insert into metering.late_periods (tenant, period) select ?, p from unnest(?::text[]) p on conflict do nothing',
    [tenant, months],
  )
}

/** Gives back a part of an issued invoice. Under a reference that it was given back under before, that note. */
export const creditInvoice = (
  act: Act,
  wanted: Wanted,
  reason: string,
  reference: string | null,
): Promise<{ note: CreditNote; isNew: boolean }> =>
  holding(act, async (tx, invoice, at) => {
    const known = reference === null ? null : await noteWhere(tx, invoice, 'reference = ?', [reference])
    if (known) {
      if (known.reason !== reason)
        throw billingError('reference_taken', `${known.number} has this reference already, with another reason`)
      return { note: known, isNew: false }
    }
    allow(act, invoice, 'credit', at)
    const asked = { kind: 'credit' as const, wanted, reason, reference, rebill: false, by: act.by }
    return { note: await issueCreditNote(tx, invoice, asked, at), isNew: true }
  })

async function noteWhere(tx: Tx, invoice: LifeRow, where: string, bindings: unknown[]): Promise<CreditNote | null> {
  const [found] = await rows<{ body: Buffer }>(
    tx,
    `select body from metering.credit_notes where tenant = ? and invoice_id = ? and ${where}`,
    [invoice.tenant, invoice.id, ...bindings],
  )
  return found ? (JSON.parse(found.body.toString('utf8')) as CreditNote) : null
}

/** Writes off what is still owed. Should it be paid after all, that makes good for the loss. */
export const writeOff = (act: Act, reason: string): Promise<void> =>
  holding(act, async (tx, invoice, at) => {
    if (invoice.uncollectible_at) return
    allow(act, invoice, 'uncollectible', at)
    const { tenant, id: invoice_id, currency } = invoice
    const open = openOf(act, invoice)
    const text = (amount: Decimal) => formatDecimal(amount, currencyDigits(currency))
    const entries = [
      { account: 'bad_debt' as const, amount: text(open) },
      { account: 'tenant_receivable' as const, amount: text(-open) },
    ]
    await post(tx, { tenant, kind: 'write_off', invoice_id, currency, entries }, at)
    await noteLife(tx, invoice, { uncollectible_at: at, reason })
  })

/** Records a bank transfer. Repeated under its reference, it counts once; more than is open is refused. */
export const recordPayment = (
  act: Act,
  paid: { amount: Decimal; paidAt: Date; reference: string },
): Promise<{ payment: PaymentRow; isNew: boolean }> =>
  holding(act, async (tx, invoice, at) => {
    const received = { ...paid, source: 'hand' as const, by: act.by }
    const known = await row(
      tx,
      "select 1 from metering.payments_received where tenant = ? and invoice_id = ? and source = 'hand' and reference = ?",
      [invoice.tenant, invoice.id, paid.reference],
    )
    if (known) return receivePayment(tx, invoice, received, at)
    allow(act, invoice, 'record_payment', at)
    const open = openOf(act, invoice)
    if (paid.amount > open)
      throw billingError('payment_exceeds_open', `${formatDecimal(open)} ${invoice.currency} are still to be paid`)
    const recorded = await receivePayment(tx, invoice, received, at)
    if (paid.amount < open) return recorded
    await stopSending(tx, invoice, 'paid_by_hand', at)
    await announcePaid(tx, invoice, recorded.payment, at)
    return recorded
  })

function openOf({ deps }: Act, invoice: LifeRow): Decimal {
  const facts = factsOf(invoice, deps.collectionHours)
  return facts.status === 'issued' ? openAmount(facts) : decimal('0')
}
