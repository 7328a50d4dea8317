import { type Db, execute, row } from '../../../platform/db.ts'
import { STRIPE } from './deps.ts'
import type { SendKey } from './sends.ts'
import { OUTCOME, type Outcome, outcomeOf } from './tell-once.ts'

/** `payment_id`: a payment of a part; null where the whole invoice is paid. */
export type PaidKey = SendKey & { payment_id: string | null }
/** A payment that is being told; `attempts` counts this try. Amounts and times are of a part. */
export type PaidSend = PaidKey & {
  attempts: number
  key_generation: number
  /** The provider's id of the invoice. */
  invoice: string
  currency: string
  amount: string | null
  /** What payments by hand came to before it. */
  before: string
  paid_at: Date | null
  recorded_at: Date | null
}

/** Notes every payment by hand of a sent invoice that leaves something to pay. */
export const planParts = (db: Db, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `insert into metering.paid_sends
         (tenant, invoice_id, sink, payment_id, state, next_attempt_at, created_at, updated_at)
       select r.tenant, r.invoice_id, s.sink, r.id, 'pending', ?, ?, ?
       from metering.payments_received r
       join metering.invoice_life l on l.tenant = r.tenant and l.invoice_id = r.invoice_id
       join metering.payment_sends s on s.tenant = r.tenant and s.invoice_id = r.invoice_id and s.sink = ?
       where r.source = 'hand' and s.state = 'sent' and l.voided_at is null
         and l.amount_due + l.returned > l.credited + l.paid
         and not exists (select 1 from metering.paid_sends d
           where d.tenant = r.tenant and d.invoice_id = r.invoice_id and d.sink = s.sink and d.payment_id = r.id)
       on conflict do nothing`,
      [now, now, now, STRIPE],
    ),
  )

/**
 * Notes every sent invoice that payments by hand have settled. Only once all its credit notes were told: of a paid invoice
 * they would be put to the customer's credit there, and so be given twice; and after parts that are being told.
 */
export const planPaid = (db: Db, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `insert into metering.paid_sends (tenant, invoice_id, sink, state, next_attempt_at, created_at, updated_at)
       select l.tenant, l.invoice_id, s.sink, 'pending', ?, ?, ?
       from (select distinct tenant, invoice_id from metering.payments_received where source = 'hand') r
       join metering.invoice_life l on l.tenant = r.tenant and l.invoice_id = r.invoice_id
       join metering.payment_sends s on s.tenant = l.tenant and s.invoice_id = l.invoice_id and s.sink = ?
       where s.state = 'sent' and l.voided_at is null and l.amount_due + l.returned <= l.credited + l.paid
         and not exists (select 1 from metering.paid_sends d
           where d.tenant = l.tenant and d.invoice_id = l.invoice_id and d.sink = s.sink
             and (d.payment_id is null or d.state = 'pending'))
         and not exists (select 1 from metering.payment_states p
           where p.tenant = l.tenant and p.invoice_id = l.invoice_id and p.sink = s.sink and p.state = 'paid')
         and not exists (select 1 from metering.credit_notes c
           left join metering.credit_note_sends n
             on n.tenant = c.tenant and n.credit_note_id = c.id and n.sink = s.sink
           where c.tenant = l.tenant and c.invoice_id = l.invoice_id and coalesce(n.state, 'pending') in ('pending', 'failed'))
       on conflict do nothing`,
      [now, now, now, STRIPE],
    ),
  )

/** What is due, the longest waiting first. */
export const duePaid = (db: Db, now: Date, limit: number): Promise<PaidKey[]> =>
  db.query(
    `select tenant, invoice_id, payment_id from metering.paid_sends
     where sink = ? and state = 'pending' and next_attempt_at <= ?
     order by next_attempt_at, invoice_id, payment_id limit ?`,
    [STRIPE, now, limit],
  )

/** Counts a try before it is made, so that the next process knows of it. Null when not due. */
export async function beginPaid(db: Db, key: PaidKey, now: Date): Promise<PaidSend | null> {
  const { tenant, invoice_id, payment_id } = key
  const begun = await db.transaction((tx) =>
    row<PaidSend>(
      tx,
      `update metering.paid_sends d set attempts = d.attempts + 1, updated_at = ?
       from metering.payment_sends s
       join metering.invoices i on i.tenant = s.tenant and i.id = s.invoice_id
       left join metering.payments_received r on r.tenant = s.tenant and r.id = ?::uuid
       where d.tenant = ? and d.invoice_id = ? and d.sink = ? and d.payment_id is not distinct from ?::uuid
         and d.state = 'pending' and d.next_attempt_at <= ?
         and s.tenant = d.tenant and s.invoice_id = d.invoice_id and s.sink = d.sink
       returning d.tenant, d.invoice_id, d.payment_id, d.attempts, d.key_generation, s.external_id as invoice, i.currency,
         r.amount::text as amount, r.paid_at, r.recorded_at, (
           select coalesce(sum(e.amount), 0)::text from metering.payments_received e
           where e.tenant = r.tenant and e.invoice_id = r.invoice_id and e.source = 'hand' and e.id < r.id) as before`,
      [now, payment_id, tenant, invoice_id, STRIPE, payment_id, now],
    ),
  )
  return begun ?? null
}

/** Records what became of a try, unless another process has moved on meanwhile. */
export const endPaid = (db: Db, send: PaidSend, outcome: Outcome, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `update metering.paid_sends set ${OUTCOME}
       where tenant = ? and invoice_id = ? and sink = ? and payment_id is not distinct from ?::uuid
         and state = 'pending' and attempts = ?`,
      [...outcomeOf(outcome, now), ...[send.tenant, send.invoice_id, STRIPE, send.payment_id, send.attempts]],
    ),
  )

/** Lets what failed be told again; one try is counted, so that the effect of an earlier one is looked for. False where there is nothing to tell again. */
export async function retryPaid(db: Db, { tenant, invoice_id }: SendKey, now: Date): Promise<boolean> {
  const changed = await db.transaction((tx) =>
    execute(
      tx,
      `update metering.paid_sends set state = 'pending', attempts = 1, key_generation = key_generation + 1,
         next_attempt_at = ?, last_error = null, updated_at = ?
       where tenant = ? and invoice_id = ? and sink = ? and state = 'failed'`,
      [now, now, tenant, invoice_id, STRIPE],
    ),
  )
  return changed > 0
}

export const countPaid = (db: Db): Promise<{ state: string; n: number }[]> =>
  db.query('select state, count(*)::int as n from metering.paid_sends group by state order by 1')
