import { type Db, execute, row } from '../../../platform/db.ts'
import { STRIPE } from './deps.ts'
import { OUTCOME, type Outcome, outcomeOf } from './tell-once.ts'

export type NoteKey = { tenant: string; credit_note_id: string }
export type Action = 'credit_note' | 'void'
/** A credit note whose telling is being tried; `attempts` counts this try. */
export type NoteSend = NoteKey & {
  action: Action
  attempts: number
  key_generation: number
  /** The provider's id of the invoice. */
  invoice: string
  currency: string
  /** Of this note, and of those before it of the same invoice, without what went to prepaid credits. */
  total: string
  before: string
}

/**
 * Notes every credit note whose invoice's own sending has come to an end. One that takes back all of an invoice that
 * nothing was given back of is a void there as well; what was never sent needs no telling, nor what went to prepaid
 * credits, which were never collected there.
 */
export const planNotes = (db: Db, mode: 'pending' | 'dry_run', now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `insert into metering.credit_note_sends
         (tenant, credit_note_id, sink, action, state, next_attempt_at, last_error, created_at, updated_at)
       select c.tenant, c.id, ?,
         case when c.kind = 'void' and not exists (
           select 1 from metering.credit_notes e
           where e.tenant = c.tenant and e.invoice_id = c.invoice_id and (length(e.number), e.number) < (length(c.number), c.number))
         then 'void' else 'credit_note' end,
         case when s.state <> 'sent' then s.state when c.total = c.returned then 'skipped' else ? end, ?,
         case when s.state <> 'sent' then 'invoice_not_sent' when c.total = c.returned then 'went_to_prepaid_credits' end,
         ?, ?
       from metering.credit_notes c
       join metering.payment_sends s on s.tenant = c.tenant and s.invoice_id = c.invoice_id and s.sink = ?
       where s.state in ('sent', 'dry_run', 'skipped') and not exists (
         select 1 from metering.credit_note_sends n
         where n.tenant = c.tenant and n.credit_note_id = c.id and n.sink = ?)
       on conflict do nothing`,
      [STRIPE, mode, now, now, now, STRIPE, STRIPE],
    ),
  )

/** What is due, in the order in which it was given. */
export const dueNotes = (db: Db, now: Date, limit: number): Promise<NoteKey[]> =>
  db.query(
    `select n.tenant, n.credit_note_id from metering.credit_note_sends n
     join metering.credit_notes c on c.tenant = n.tenant and c.id = n.credit_note_id
     where n.sink = ? and n.state = 'pending' and n.next_attempt_at <= ? order by length(c.number), c.number limit ?`,
    [STRIPE, now, limit],
  )

/** Counts a try before it is made, so that the next process knows of it. Null when not due. */
export async function beginNote(db: Db, { tenant, credit_note_id }: NoteKey, now: Date): Promise<NoteSend | null> {
  const begun = await db.transaction((tx) =>
    row<NoteSend>(
      tx,
      `update metering.credit_note_sends n set attempts = n.attempts + 1, updated_at = ?
       from metering.credit_notes c, metering.payment_sends s
       where n.tenant = ? and n.credit_note_id = ? and n.sink = ? and n.state = 'pending' and n.next_attempt_at <= ?
         and c.tenant = n.tenant and c.id = n.credit_note_id
         and s.tenant = n.tenant and s.invoice_id = c.invoice_id and s.sink = n.sink
       returning n.tenant, n.credit_note_id, n.action, n.attempts, n.key_generation, s.external_id as invoice,
         c.currency, (c.total - c.returned)::text as total, (
           select coalesce(sum(e.total - e.returned), 0)::text from metering.credit_notes e
           where e.tenant = c.tenant and e.invoice_id = c.invoice_id and (length(e.number), e.number) < (length(c.number), c.number)) as before`,
      [now, tenant, credit_note_id, STRIPE, now],
    ),
  )
  return begun ?? null
}

/** Records what became of a try, unless another process has moved on meanwhile. */
export const endNote = (db: Db, send: NoteSend, outcome: Outcome, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `update metering.credit_note_sends set external_id = ?, ${OUTCOME}
       where tenant = ? and credit_note_id = ? and sink = ? and state = 'pending' and attempts = ?`,
      [
        ...[outcome.externalId, ...outcomeOf(outcome, now)],
        ...[send.tenant, send.credit_note_id, STRIPE, send.attempts],
      ],
    ),
  )

/** Lets what failed, or ran dry, be told again. False where there is nothing to tell again. */
export async function retryNote(db: Db, { tenant, credit_note_id }: NoteKey, now: Date): Promise<boolean> {
  const changed = await db.transaction((tx) =>
    execute(
      tx,
      `update metering.credit_note_sends n set state = 'pending', attempts = 1, key_generation = key_generation + 1,
         next_attempt_at = ?, last_error = null, updated_at = ?
       where tenant = ? and credit_note_id = ? and sink = ? and state in ('failed', 'dry_run')
         and exists (select 1 from metering.credit_notes c
           join metering.payment_sends s on s.tenant = c.tenant and s.invoice_id = c.invoice_id and s.sink = n.sink
           where c.tenant = n.tenant and c.id = n.credit_note_id and s.state = 'sent')`,
      [now, now, tenant, credit_note_id, STRIPE],
    ),
  )
  return changed === 1
}
