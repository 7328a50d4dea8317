import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { fault } from '../../../platform/fault.ts'
import { paymentFailed } from '../../../schemas/events/payment.failed.ts'
import { paymentSucceeded } from '../../../schemas/events/payment.succeeded.ts'
import { SOURCE } from '../deps.ts'
import { receiveTold } from '../life/receive-payment.ts'
import { type PaymentDeps, STRIPE } from './deps.ts'
import type { PaymentFact } from './gateway.ts'

type Sent = {
  tenant: string
  invoice_id: string
  number: string
  period: string
  currency: string
  amount_due: string
  rounding: string
}

/** From what may still change to what is final; a state never goes back in this order. */
const ORDER = "array['payment_failed', 'uncollectible', 'void', 'paid']"

/**
 * Notes what a provider said of an invoice of ours, and tells it on. Repeated and reordered facts change nothing.
 * False for a repeated one, for one that is behind what is known, and for invoices that are not ours.
 */
export async function applyPaymentFact(deps: PaymentDeps, fact: PaymentFact): Promise<boolean> {
  const sent = await sentInvoice(deps, fact.invoice)
  // Another installation may collect through the same account.
  if (!sent) return false
  const applied = await deps.allTenants.transaction((tx) => apply(tx, deps, sent, fact), {
    locks: [keyLock(paymentSucceeded.topic, sent.tenant)],
  })
  fault('payments.after-fact')
  if (applied) deps.wake()
  return applied
}

async function apply(tx: Tx, deps: PaymentDeps, sent: Sent, fact: PaymentFact): Promise<boolean> {
  const isNew = await execute(
    tx,
    'insert into metering.payment_events_seen (sink, event_id, seen_at) values (?, ?, ?) on conflict do nothing',
    [STRIPE, fact.id, deps.now()],
  )
  if (isNew === 0) return false
  const moved = await execute(
    tx,
    `insert into metering.payment_states (tenant, invoice_id, sink, state, occurred_at, event_id)
     values (?, ?, ?, ?, ?, ?)
     on conflict (tenant, invoice_id, sink)
       do update set state = excluded.state, occurred_at = excluded.occurred_at, event_id = excluded.event_id
       where array_position(${ORDER}, payment_states.state) < array_position(${ORDER}, excluded.state)`,
    [sent.tenant, sent.invoice_id, STRIPE, fact.state, fact.at, fact.id],
  )
  if (moved === 0) return false
  fault('payments.after-state')
  const rounding = decimal(sent.rounding)
  const received =
    fact.state !== 'paid' ||
    (await receiveTold(tx, sent.invoice_id, { source: STRIPE, reference: fact.id, rounding, at: fact.at }, deps.now()))
  const definition = { paid: paymentSucceeded, payment_failed: paymentFailed, uncollectible: null, void: null }[
    fact.state
  ]
  // An invoice that was paid by hand was announced then.
  if (definition && received) {
    const { amount_due, rounding, ...named } = sent
    const places = amount_due.split('.')[1]?.length ?? 0
    const amount = formatDecimal(decimal(amount_due) + decimal(rounding), places)
    const data = { ...named, amount, sink: STRIPE, occurred_at: fact.at.toISOString() }
    const event = definition.create(data, { source: SOURCE, now: deps.now(), subject: sent.tenant })
    await publish(tx, definition, [event])
  }
  fault('payments.before-fact-commit')
  return true
}

async function sentInvoice({ allTenants }: PaymentDeps, externalId: string): Promise<Sent | undefined> {
  return allTenants.transaction((tx) =>
    row<Sent>(
      tx,
      `select s.tenant, s.invoice_id, i.number, i.period, i.currency, s.rounding::text as rounding,
         convert_from(i.body, 'UTF8')::jsonb ->> 'amount_due' as amount_due
       from metering.payment_sends s join metering.invoices i on i.tenant = s.tenant and i.id = s.invoice_id
       where s.sink = ? and s.external_id = ?`,
      [STRIPE, externalId],
    ),
  )
}

/** Stripe repeats an event for three days. */
const KEEP_DAYS = 30

/** Forgets ids of events that will not be repeated any more: states would not move for them anyway. Returns how many. */
export const expireFacts = (deps: Pick<PaymentDeps, 'allTenants' | 'now'>): Promise<number> =>
  deps.allTenants.transaction((tx) =>
    execute(tx, 'delete from metering.payment_events_seen where seen_at < ?', [
      new Date(deps.now().getTime() - KEEP_DAYS * 86_400_000),
    ]),
  )
