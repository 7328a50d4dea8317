import { type Db, execute, row } from '../../../platform/db.ts'
import { MARGIN_MS, OLDEST_MS } from './meter-windows.ts'
import { HOUR_MS } from './whole-hours.ts'

export type WindowKey = { tenant: string; id: string; event_name: string }
/** A window that is being tried; `attempts` counts this try. */
export type WindowSend = WindowKey & {
  at: Date
  value: string
  attempts: number
  key_generation: number
  identifier_no: number
  /** Since when a try before this one may have been taken. */
  unsure_before: Date | null
}

/** Stripe knows an identifier for a day from when it took it; the hour is for the call and for clocks. */
const KNOWN_MS = 23 * HOUR_MS

/**
 * Gives up what Stripe would refuse as too old, and what it may have taken so long ago that it would take it once more.
 * Returns how many.
 */
export const giveUp = (db: Db, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `update metering.stripe_meter_windows set updated_at = ?,
         state = case when at <= ? then 'too_old' else 'failed' end,
         last_error = case when unsure_since <= ? then 'outcome_unknown' else coalesce(last_error, 'too_late') end
       where state = 'pending' and (at <= ? or unsure_since <= ?)`,
      [now, oldestAt(now), knownSince(now), oldestAt(now), knownSince(now)],
    ),
  )

const oldestAt = (now: Date) => new Date(now.getTime() - OLDEST_MS + MARGIN_MS)
const knownSince = (now: Date) => new Date(now.getTime() - KNOWN_MS)

/** What is due, the oldest first. */
export const dueWindows = (db: Db, now: Date, limit: number): Promise<WindowKey[]> =>
  db.query(
    `select tenant, id, event_name from metering.stripe_meter_windows where state = 'pending' and next_attempt_at <= ?
     order by at, id limit ?`,
    [now, limit],
  )

/** Counts a try before it is made, so that the next process knows of it. Null when not due. */
export async function beginWindow(db: Db, { tenant, id }: WindowKey, now: Date): Promise<WindowSend | null> {
  const begun = await db.transaction((tx) =>
    row<WindowSend>(
      tx,
      `update metering.stripe_meter_windows w set attempts = w.attempts + 1, updated_at = ?,
         unsure_since = coalesce(w.unsure_since, ?)
       from metering.stripe_meter_windows b
       where w.tenant = ? and w.id = ? and w.state = 'pending' and w.next_attempt_at <= ?
         and b.tenant = w.tenant and b.id = w.id and b.attempts = w.attempts
       returning w.tenant, w.id, w.event_name, w.at, w.value::text as value, w.attempts, w.key_generation, w.identifier_no,
         b.unsure_since as unsure_before`,
      [now, now, tenant, id, now],
    ),
  )
  return begun ?? null
}

export type WindowOutcome = {
  state: 'sent' | 'pending' | 'failed'
  code: string | null
  nextAttemptAt: Date
  newKey: boolean
  /** Nothing was done by this try. */
  refused: boolean
}

/** Records what became of a try, unless another process has moved on meanwhile. */
export const endWindow = (db: Db, send: WindowSend, outcome: WindowOutcome, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `update metering.stripe_meter_windows set state = ?, last_error = ?, next_attempt_at = ?,
         key_generation = key_generation + ?, unsure_since = case when ? then ?::timestamptz else unsure_since end,
         updated_at = ?
       where tenant = ? and id = ? and state = 'pending' and attempts = ?`,
      [
        ...[outcome.state, outcome.code, outcome.nextAttemptAt, outcome.newKey ? 1 : 0],
        ...[outcome.refused, send.unsure_before, now, send.tenant, send.id, send.attempts],
      ],
    ),
  )

/** Lets what failed or ran dry be sent again, while Stripe takes its time. False where there is nothing to send again. */
export async function retryWindow(db: Db, id: string, now: Date): Promise<boolean> {
  const changed = await db.transaction((tx) =>
    execute(
      tx,
      `update metering.stripe_meter_windows set state = 'pending', attempts = 0, unsure_since = null,
         key_generation = key_generation + 1, next_attempt_at = ?, last_error = null, updated_at = ?
       where id = ? and state in ('failed', 'dry_run') and at > ?`,
      [now, now, id, oldestAt(now)],
    ),
  )
  return changed === 1
}

export const countWindows = (db: Db): Promise<{ state: string; n: number }[]> =>
  db.query('select state, count(*)::int as n from metering.stripe_meter_windows group by state order by 1')

/** From when on Stripe refuses the oldest usage that it may not have got: told or not yet looked at. Null: none. */
export async function nearestLoss(db: Db): Promise<Date | null> {
  const [found] = await db.query<{ oldest: Date | null }>(
    `select least(
       (select min(at) from metering.stripe_meter_windows where state = 'pending'),
       (select min(planned_until) from metering.stripe_meters where ends_at is null or planned_until < ends_at)) as oldest`,
  )
  return found?.oldest ? new Date(found.oldest.getTime() + OLDEST_MS) : null
}
