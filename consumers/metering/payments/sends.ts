import { type Db, execute, row, rows } from '../../../platform/db.ts'
import { STRIPE } from './deps.ts'
import { OUTCOME, outcomeOf } from './tell-once.ts'

export const STEPS = ['customer', 'invoice', 'items', 'finalize', 'done'] as const
export type Step = (typeof STEPS)[number]
export type SendKey = { tenant: string; invoice_id: string }
/** A send whose step at hand is being tried; `attempts` counts this try. */
export type Send = SendKey & {
  step: Step
  attempts: number
  key_generation: number
  external_id: string | null
  body: Buffer
}
type Planned = SendKey & { state: 'pending' | 'failed' | 'dry_run' | 'skipped' } & {
  last_error: string | null
  rounding: string
  would_send: object | null
}

const PLAN_BATCH = 500

/** Issued invoices that nothing is known of yet. */
export const unplanned = (db: Db): Promise<(SendKey & { body: Buffer })[]> =>
  db.query(
    `select tenant, id as invoice_id, body from metering.invoices i
     where status = 'issued' and not exists (
       select 1 from metering.payment_sends s where s.tenant = i.tenant and s.invoice_id = i.id)
     order by issued_at, id limit ?`,
    [PLAN_BATCH],
  )

export async function insertPlanned(db: Db, planned: readonly Planned[], now: Date): Promise<void> {
  await db.transaction(async (tx) => {
    for (const one of planned)
      await execute(
        tx,
        `insert into metering.payment_sends
           (tenant, invoice_id, sink, step, state, next_attempt_at, last_error, rounding, would_send, created_at, updated_at)
         values (?, ?, ?, 'customer', ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
        [
          one.tenant,
          one.invoice_id,
          STRIPE,
          one.state,
          now,
          one.last_error,
          one.rounding,
          one.would_send === null ? null : JSON.stringify(one.would_send),
          now,
          now,
        ],
      )
  })
}

/** What is due, the longest waiting first, one of each tenant: two at once would make its customer twice. */
export const dueSends = (db: Db, now: Date, limit: number): Promise<SendKey[]> =>
  db.query(
    `select tenant, invoice_id from (
       select distinct on (tenant) tenant, invoice_id, next_attempt_at from metering.payment_sends
       where sink = ? and state = 'pending' and next_attempt_at <= ? order by tenant, next_attempt_at, invoice_id) due
     order by next_attempt_at, invoice_id limit ?`,
    [STRIPE, now, limit],
  )

/** Counts a try of the step at hand before it is made, so that the next process knows of it. Null when not due. */
export async function beginStep(db: Db, { tenant, invoice_id }: SendKey, now: Date): Promise<Send | null> {
  const begun = await db.transaction((tx) =>
    row<Send>(
      tx,
      `update metering.payment_sends s set attempts = attempts + 1, updated_at = ?
       from metering.invoices i
       where s.tenant = ? and s.invoice_id = ? and s.sink = ? and s.state = 'pending' and s.next_attempt_at <= ?
         and i.tenant = s.tenant and i.id = s.invoice_id
       returning s.tenant, s.invoice_id, s.step, s.attempts, s.key_generation, s.external_id, i.body`,
      [now, tenant, invoice_id, STRIPE, now],
    ),
  )
  return begun ?? null
}

/** Records the effect of a step. False when another process has moved the send on meanwhile: then nothing changes. */
export async function finishStep(db: Db, send: Send, externalId: string | null, now: Date): Promise<boolean> {
  const next = STEPS[STEPS.indexOf(send.step) + 1] as Step
  const changed = await db.transaction((tx) =>
    execute(
      tx,
      `update metering.payment_sends set step = ?, state = ?, attempts = 0, external_id = ?, last_error = null,
         updated_at = ? ${CAS}`,
      [next, next === 'done' ? 'sent' : 'pending', externalId, now, ...casOf(send)],
    ),
  )
  return changed === 1
}

export type FailedStep = { code: string; state: 'pending' | 'failed'; nextAttemptAt: Date; newKey: boolean }

/** Records why a step was not taken. */
export async function failStep(db: Db, send: Send, failed: FailedStep, now: Date): Promise<void> {
  await db.transaction((tx) =>
    execute(tx, `update metering.payment_sends set ${OUTCOME} ${CAS}`, [...outcomeOf(failed, now), ...casOf(send)]),
  )
}

const CAS = "where tenant = ? and invoice_id = ? and sink = ? and state = 'pending' and step = ? and attempts = ?"
const casOf = ({ tenant, invoice_id, step, attempts }: Send) => [tenant, invoice_id, STRIPE, step, attempts]

export async function customerOf(db: Db, tenant: string): Promise<string | null> {
  const [known] = await db.query<{ external_id: string }>(
    'select external_id from metering.payment_customers where tenant = ? and sink = ?',
    [tenant, STRIPE],
  )
  return known?.external_id ?? null
}

export const rememberCustomer = (db: Db, tenant: string, externalId: string): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      'insert into metering.payment_customers (tenant, sink, external_id) values (?, ?, ?) on conflict do nothing',
      [tenant, STRIPE, externalId],
    ),
  )

/**
 * Lets a failed or dry send be tried again. One try is counted, so that the effect of an earlier one is looked for; the
 * new key asks afresh what was refused. False where there is nothing to send again.
 */
export async function retrySend(db: Db, { tenant, invoice_id }: SendKey, now: Date): Promise<boolean> {
  const changed = await db.transaction((tx) =>
    execute(
      tx,
      `update metering.payment_sends set state = 'pending', attempts = 1, key_generation = key_generation + 1,
         next_attempt_at = ?, would_send = null, updated_at = ?
       where tenant = ? and invoice_id = ? and sink = ? and state in ('failed', 'dry_run')`,
      [now, now, tenant, invoice_id, STRIPE],
    ),
  )
  return changed === 1
}

/** How many sends are in each state. */
export const countSends = (db: Db): Promise<{ state: string; n: number }[]> =>
  db.transaction((tx) =>
    rows(tx, 'select state, count(*)::int as n from metering.payment_sends where sink = ? group by state order by 1', [
      STRIPE,
    ]),
  )
