import { rows, type Tx } from '../../platform/db.ts'
import { billableHours, levelSteps } from './quarantine/billable.ts'
import type { MeteredCharge } from './rating/plan.ts'
import type { UsageTotal, Window } from './rating/usage.ts'

/**
 * Whose usage, the windows of the month that it is summed up by, and whose tables hold it. `whole`: nothing of theirs is
 * quarantined, so that no row has to be looked at for it; where something is, tenants are read alone.
 */
export type TotalsOf = {
  schema: string
  tenants: readonly string[]
  windows: readonly Window[]
  whole: boolean
  /** What was quarantined at that time is left out; null: now. */
  asOf?: Date | null
}
type Total = UsageTotal & { tenant: string }
type Place = Pick<Total, 'tenant' | 'window' | 'meter' | 'package' | 'dimensions'>
type Extremes = Place & Pick<Total, 'maximum' | 'latest' | 'change' | 'change_ms'>

/**
 * Usage of each tenant by window, meter, package and dimensions. What only some aggregations need is read for the
 * meters of `charges` that have them, because it costs more than all the rest.
 */
export async function loadTotals(tx: Tx, of: TotalsOf, charges: readonly MeteredCharge[]): Promise<Total[]> {
  const sums = await loadSums(tx, of)
  const metersOf = (...aggregations: MeteredCharge['aggregation'][]) => [
    ...new Set(charges.filter(({ aggregation }) => aggregations.includes(aggregation)).map(({ meter }) => meter)),
  ]
  const wanted = metersOf('max', 'latest', 'weighted_sum')
  if (wanted.length === 0) return sums
  const meters = { wanted, latest: metersOf('latest'), weighted: of.whole ? [] : metersOf('weighted_sum') }
  const extremes = new Map((await loadExtremes(tx, of, meters)).map((one) => [keyOf(one), one]))
  const totals = sums.map((one) => ({ ...one, ...extremes.get(keyOf(one)) }))
  for (const one of sums) extremes.delete(keyOf(one))
  // A level that steps down with a quarantine, in a part of the month without usage.
  return [...totals, ...[...extremes.values()].map((one) => ({ ...one, quantity: '0', records: 0 }))]
}

const keyOf = (one: Place): string => JSON.stringify([one.tenant, one.window, one.meter, one.package, one.dimensions])

/** The window of a row's hour, counted from 0; looked for only in a month that has several. */
function windowSql({ windows }: TotalsOf): { sql: string; bindings: unknown[] } {
  if (windows.length === 1) return { sql: '0', bindings: [] }
  return { sql: 'width_bucket(hour, ?::timestamptz[]) - 1', bindings: [windows.map(({ from }) => from)] }
}

const endsOf = ({ windows }: TotalsOf) => [windows[0]?.from, windows.at(-1)?.to]

/**
 * Put in order after summing up: in one step the planner would sort every row, to have the few groups in order. Rows are
 * told apart by the hash of their dimensions, which costs half of what the dimensions would, and one row of each group is
 * looked up for those: in a subquery, because a join would be planned as one over the whole table.
 */
function loadSums(tx: Tx, of: TotalsOf) {
  const { sql, bindings } = windowSql(of)
  return rows<Total>(
    tx,
    `with sums as materialized (
       select tenant, ${sql} as window, meter, package, min(u.ctid) as one_row, sum(quantity) as quantity,
         sum(records) as records
       from ${of.schema}.rollups u where tenant = any(?::text[]) and hour >= ? and hour < ?
         and ${of.whole || billableHours('u', of.asOf)}
       group by 1, 2, meter, package, dimensions_key),
     named as (
       select s.*, (select u.dimensions from ${of.schema}.rollups u where u.ctid = s.one_row) as dimensions from sums s)
     select tenant, "window", meter, package, dimensions, trim_scale(sum(quantity))::text as quantity,
       sum(records)::int8::float8 as records, null as maximum, null as latest, '0' as change, '0' as change_ms
     from named group by tenant, "window", meter, package, dimensions
     order by tenant, "window", meter, package, dimensions`,
    [...bindings, of.tenants, ...endsOf(of)],
  )
}

const EXTREMES = 'tenant, hour, meter, package, dimensions, maximum, latest, latest_at, latest_key, change, change_ms'
/** Steps of a level as rows of hours. */
const stepsAt = (
  asOf: Date | null,
) => `select ?::text, hour, meter, package, dimensions, null, null, null, null, change, change * 3600000
  from (${levelSteps(asOf)}) s`

/** `latest` is looked for only where a charge asks for it: it costs a sort. */
function loadExtremes(
  tx: Tx,
  of: TotalsOf,
  meters: { wanted: readonly string[]; latest: readonly string[]; weighted: readonly string[] },
) {
  const { sql, bindings } = windowSql(of)
  const [tenant] = of.tenants
  const steps = meters.weighted.length > 0
  return rows<Extremes>(
    tx,
    `select tenant, w as window, meter, package, dimensions,
       trim_scale(max(maximum))::text as maximum,
       (array_agg(jsonb_build_object('at', latest_at, 'id', latest_key, 'quantity', latest::text)
          order by latest_at desc, latest_key desc)
          filter (where latest_at is not null and meter = any(?::text[])))[1] as latest,
       trim_scale(sum(change))::text as change,
       trim_scale(sum(change_ms + change * (extract(epoch from (?::timestamptz[])[w + 1] - hour) * 1000 - 3600000)))::text
         as change_ms
     from (select *, ${sql} as w from (
             select ${EXTREMES} from ${of.schema}.rollups u
             where tenant = any(?::text[]) and meter = any(?::text[]) and ${of.whole || billableHours('u', of.asOf)}
             ${steps ? `union all ${stepsAt(of.asOf ?? null)}` : ''}) h
           where hour >= ? and hour < ?) r
     group by tenant, w, meter, package, dimensions order by tenant, w, meter, package, dimensions`,
    [
      meters.latest,
      of.windows.map(({ to }) => to),
      ...bindings,
      of.tenants,
      meters.wanted,
      ...(steps ? [tenant, tenant, meters.weighted] : []),
      ...endsOf(of),
    ],
  )
}
