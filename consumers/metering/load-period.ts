import { rows, type Tx } from '../../platform/db.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { loadSubscriptions, metered, meteredCharges } from './load-subscriptions.ts'
import { loadTotals } from './load-totals.ts'
import { billableDays, billableEvents, billableHours, levelSteps } from './quarantine/billable.ts'
import { hasQuarantined, loadQuarantined } from './quarantine/quarantined-usage.ts'
import { needsEvents } from './rating/measure.ts'
import type { MeteredCharge, Plan } from './rating/plan.ts'
import { type DistinctValues, type OpeningLevel, type PeriodUsage, type UsageEvent, windowsOf } from './rating/usage.ts'

/** `whole`: nothing of the tenant's is quarantined, so that no row has to be looked at for it. */
type Span = {
  schema: string
  tenant: string
  start: Date
  end: Date
  starts: readonly Date[]
  whole: boolean
  asOf: Date | null
}
/**
 * `schema`: whose tables hold the usage. `plans`: prices beside the tenant's own that are to find what they need.
 * `asOf`: leaves out what was quarantined at that time; unless said, now.
 */
export type Loading = { schema?: string; plans?: readonly Plan[]; asOf?: Date | null }

/**
 * A tenant's usage and subscriptions of a month, as rating takes them. At most 744 rows a meter and combination of the
 * dimensions that plans name, however many events.
 */
export async function loadPeriod(
  tx: Tx,
  tenant: string,
  period: string,
  { schema = 'metering', plans = [], asOf = null }: Loading = {},
): Promise<PeriodUsage> {
  const { start, end } = periodBounds(period)
  const subscriptions = await loadSubscriptions(tx, tenant, start, end)
  const windows = windowsOf(start, end, subscriptions)
  const whole = !(await hasQuarantined(tx, tenant, asOf))
  const span = { schema, tenant, start, end, starts: windows.map(({ from }) => from), whole, asOf }
  const charges = [...meteredCharges(subscriptions), ...plans.flatMap(metered)]
  const metersOf = (wanted: (charge: MeteredCharge) => boolean) => [
    ...new Set(charges.filter(wanted).map(({ meter }) => meter)),
  ]
  const weighted = metersOf(({ aggregation }) => aggregation === 'weighted_sum')
  const unique = metersOf(({ aggregation }) => aggregation === 'unique')
  const single = metersOf(needsEvents)
  return {
    period,
    from: start,
    to: end,
    windows,
    subscriptions,
    totals: await loadTotals(tx, { schema, tenants: [tenant], windows, whole, asOf }, charges),
    levels: weighted.length === 0 ? [] : await loadLevels(tx, span, weighted),
    distinct: unique.length === 0 ? [] : await loadDistinct(tx, span, unique),
    events: single.length === 0 ? [] : await loadEvents(tx, span, single),
    quarantined: whole ? [] : await loadQuarantined(tx, tenant, span),
  }
}

/** Levels are of all that was ever counted, which no log holds: always from the live tables. */
const loadLevels = (tx: Tx, { tenant, start, whole, asOf }: Span, meters: readonly string[]) =>
  rows<OpeningLevel>(
    tx,
    `select meter, package, dimensions, trim_scale(sum(change))::text as level from (
       select hour, meter, package, dimensions, change from metering.rollups r
       where tenant = ? and meter = any(?::text[]) and ${whole || billableHours('r', asOf)}
       ${whole ? '' : `union all ${levelSteps(asOf)}`}) h
     where hour < ? group by meter, package, dimensions`,
    [tenant, meters, ...(whole ? [] : [tenant, meters]), start],
  )

const loadDistinct = (tx: Tx, { schema, tenant, start, end, starts, whole, asOf }: Span, meters: readonly string[]) =>
  rows<DistinctValues>(
    tx,
    `select width_bucket(day::timestamptz, ?::timestamptz[]) - 1 as window, meter, package, dimensions, value_of as of,
       array_agg(distinct encode(value_key, 'hex')) as values
     from ${schema}.distinct_values d
     where tenant = ? and day >= ?::timestamptz::date and day < ?::timestamptz::date and meter = any(?::text[])
       and ${whole || billableDays('d', asOf)}
     group by 1, 2, 3, 4, 5`,
    [starts, tenant, start, end, meters],
  )

const loadEvents = (tx: Tx, { schema, tenant, start, end, starts, whole, asOf }: Span, meters: readonly string[]) =>
  rows<UsageEvent>(
    tx,
    `select width_bucket(at, ?::timestamptz[]) - 1 as window, meter, package, dimensions,
       to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, encode(record_key, 'hex') as id,
       quantity::text from ${schema}.priced_events e
     where tenant = ? and at >= ? and at < ? and meter = any(?::text[]) and ${whole || billableEvents('e', asOf)} order by at, record_key`,
    [starts, tenant, start, end, meters],
  )
