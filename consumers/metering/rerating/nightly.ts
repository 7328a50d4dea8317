import { uuidv7 } from 'uuidv7'
import { type Db, execute } from '../../../platform/db.ts'
import { decimal, SCALE } from '../../../platform/decimal.ts'
import type { Metrics } from '../../../platform/metrics.ts'
import { periodBounds, periodOf } from '../../../platform/utc-time.ts'
import { topics } from '../../../schemas/topics.ts'
import { collectionEnds } from '../issue.ts'
import { currencyDigits } from '../rating/currency.ts'
import { enqueue } from './rerating-rows.ts'

type Deps = { allTenants: Db; now: () => Date; collectionHours: number }

const DAY_MS = 86_400_000
const KEEP_DAYS = 35
const EXPIRED_AT_ONCE = 100
/** A difference is shown for so long after it was found, or until the same month of the tenant shows none. */
const SHOWN_DAYS = 7

/**
 * Has the month of one tenant replayed for each day, chosen by a hash of the day: the month before while the log still
 * holds all of it, else the current one. Asking again on the same day changes nothing. Returns the tenant, or null.
 */
export async function replayNightly({ allTenants, now, collectionHours }: Deps): Promise<string | null> {
  const at = now()
  const day = at.toISOString().slice(0, 10)
  const period = sampledPeriod(at, collectionHours)
  return allTenants.transaction(async (tx) => {
    const { rows } = await tx.raw<{ rows: { tenant: string }[] }>(
      'select tenant from metering.invoices where period = ? order by md5(tenant || ?), tenant limit 1',
      [period, day],
    )
    const [chosen] = rows
    if (!chosen) return null
    const { tenant } = chosen
    const wanted = { id: uuidv7(), nightly: true, tenant, period, as_of: null, other_plan: null }
    const queued = await enqueue(tx, { ...wanted, request_key: `nightly:${day}`, requested_by: 'nightly' }, at)
    return queued ? tenant : null
  })
}

/** A day is left for retention to come round. */
function sampledPeriod(at: Date, collectionHours: number): string {
  const current = periodOf(at)
  const before = periodOf(new Date(periodBounds(current).start.getTime() - 1))
  const held = at.getTime() - (topics.usage.retentionDays - 1) * DAY_MS
  const whole = periodBounds(before).start.getTime() > held
  return whole && collectionEnds(before, collectionHours) < at ? before : current
}

/** Forgets replays that ended long ago, with their results. In small steps. */
export const expireReratings = (db: Db, now: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(
      tx,
      `delete from metering.reratings where id in (
         select id from metering.reratings where ended_at < ? order by ended_at limit ?)`,
      [new Date(now.getTime() - KEEP_DAYS * DAY_MS), EXPIRED_AT_ONCE],
    ),
  )

/** Measures what the newest replay of each tenant's month found, where the log held the whole month. */
export function measureDrift(
  { allTenants, now }: Pick<Deps, 'allTenants' | 'now'>,
  metrics: Metrics,
): () => Promise<void> {
  const amount = metrics.gauge(
    'atom_billing_drift_minor_units',
    'By how much invoices and the log differ, in the smallest unit of the currency, whatever the sign',
    ['currency'],
  )
  const lines = metrics.gauge('atom_billing_drift_lines', 'Lines of invoices that are not what the log says')
  const hours = metrics.gauge('atom_billing_drift_hours', 'Stored hours of usage that are not what the log says')
  return async () => {
    const found = await allTenants.query<{ currency: string; drift: string; lines: number; hours: number }>(
      `select currency, sum(drift)::text as drift, sum(differing_lines)::int as lines, sum(differing_hours)::int as hours
       from (
         select distinct on (r.tenant, g.period) r.* from metering.rerating_results r
         join metering.reratings g on g.id = r.rerating
         where g.state = 'done' and not r.failed and g.other_plan is null and g.as_of is null and (g.covers->>'complete')::boolean
           and g.ended_at > ?
         order by r.tenant, g.period, g.ended_at desc) newest
       group by currency`,
      [new Date(now().getTime() - SHOWN_DAYS * DAY_MS)],
    )
    amount.reset()
    for (const { currency, drift } of found)
      amount.set({ currency }, Number((decimal(drift) * 10n ** BigInt(currencyDigits(currency))) / SCALE))
    lines.set(found.reduce((sum, one) => sum + one.lines, 0))
    hours.set(found.reduce((sum, one) => sum + one.hours, 0))
  }
}
