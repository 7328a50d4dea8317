import { type Decimal, decimal, divideRounded, SCALE } from '../../../platform/decimal.ts'
import { groupBy } from './group-by.ts'
import type { MeteredCharge } from './plan.ts'
import type { Dimensions, PeriodUsage, UsageEvent, UsageTotal } from './usage.ts'

/** What one line is priced from: the aggregated quantity of a charge, or of one group of it. */
export type Measured = { group: Dimensions; quantity: Decimal; records: number; events: readonly UsageEvent[] }

type Keyed = Pick<UsageTotal, 'window' | 'meter' | 'package' | 'dimensions'>
/** Which of the usage counts for a charge: windows of its price, and packages whose usage of the meter is its own. */
export type Taken = { windows: readonly number[]; takes: (meter: string, packageName: string) => boolean }

/**
 * Aggregates usage as a charge wants it, one result per group in the order of the groups' names; without `group_by`
 * there is exactly one, of zero where nothing was used. Quantities are exact, averages and time-weighted sums are
 * rounded half away from zero at twelve decimals.
 */
export function measure(charge: MeteredCharge, usage: PeriodUsage, taken: Taken): Measured[] {
  const own = <T extends Omit<Keyed, 'window'>>(rows: readonly T[]) =>
    rows.filter(
      (row) => row.meter === charge.meter && taken.takes(row.meter, row.package) && passes(charge, row.dimensions),
    )
  const inWindows = <T extends Keyed>(rows: readonly T[]) =>
    own(rows).filter((row) => taken.windows.includes(row.window))
  const totals = byGroup(charge, inWindows(usage.totals))
  // A level that was reached earlier is used in this period too, without any event in it.
  const weighted = charge.aggregation === 'weighted_sum'
  const before = weighted ? byGroup(charge, own(usage.levels)) : new Map()
  const earlier = weighted ? byGroup(charge, own(usage.totals)) : new Map()
  const distinct = charge.aggregation === 'unique' ? byGroup(charge, inWindows(usage.distinct)) : new Map()
  const events = needsEvents(charge) ? byGroup(charge, inWindows(usage.events)) : new Map()
  const groups = new Set([...totals.keys(), ...before.keys(), ...earlier.keys(), ...distinct.keys(), ...events.keys()])
  if (charge.group_by === undefined) groups.add('{}')
  return [...groups].sort().map((group) => {
    const rows = totals.get(group) ?? []
    return {
      group: JSON.parse(group) as Dimensions,
      quantity: weighted
        ? timeWeighted(usage, taken.windows, before.get(group) ?? [], earlier.get(group) ?? [])
        : aggregate(charge, rows, distinct.get(group) ?? []),
      records: rows.reduce((sum, row) => sum + row.records, 0),
      events: inOrder(events.get(group) ?? []),
    }
  })
}

/** Whether the price cannot be had from sums: then the events are kept until the invoice is final. */
export const needsEvents = (charge: MeteredCharge): boolean =>
  charge.model === 'percentage' &&
  (Boolean(charge.free_events) || (charge.free_amount !== undefined && charge.fixed_amount !== undefined))

/** Whether usage with these dimensions is what a charge prices. */
export const passes = ({ filter }: MeteredCharge, dimensions: Dimensions): boolean =>
  Object.entries(filter ?? {}).every(([name, wanted]) => {
    const value = dimensions[name]
    return value !== undefined && (typeof wanted === 'string' ? value === wanted : wanted.includes(value))
  })

function aggregate(charge: MeteredCharge, rows: readonly UsageTotal[], distinct: PeriodUsage['distinct']): Decimal {
  const sum = rows.reduce((total, row) => total + decimal(row.quantity), 0n)
  const records = rows.reduce((total, row) => total + BigInt(row.records), 0n)
  switch (charge.aggregation ?? 'sum') {
    case 'sum':
      return sum
    case 'count':
      return records * SCALE
    case 'average':
      return records === 0n ? 0n : divideRounded(sum, records)
    case 'max':
      return rows.reduce(
        (most, { maximum }) => (maximum !== null && decimal(maximum) > most ? decimal(maximum) : most),
        0n,
      )
    case 'latest':
      return latest(rows)
    case 'unique': {
      const of = charge.unique_by ?? ''
      const values = new Set(distinct.filter((one) => one.of === of).flatMap((one) => one.values))
      return BigInt(values.size) * SCALE
    }
    default:
      throw new RangeError(`aggregation ${charge.aggregation} is not a sum of rows`)
  }
}

function latest(rows: readonly UsageTotal[]): Decimal {
  const last = rows
    .flatMap((row) => (row.latest ? [row.latest] : []))
    .reduce<UsageTotal['latest']>((best, one) => (best === null || isAfter(one, best) ? one : best), null)
  return last === null ? 0n : decimal(last.quantity)
}

/** Time decides, then the id, so that any order of arrival has the same last one. */
export const isAfter = (a: { at: string; id: string }, b: { at: string; id: string }): boolean =>
  a.at === b.at ? a.id > b.id : a.at > b.at

const inOrder = (events: readonly UsageEvent[]): UsageEvent[] => [...events].sort((a, b) => (isAfter(a, b) ? 1 : -1))

/**
 * The level of a meter over time, integrated over the windows and divided by the length of the whole period: 2500 held
 * for 27 of 31 days is 2177.419354838710.
 */
function timeWeighted(
  usage: PeriodUsage,
  windows: readonly number[],
  levels: PeriodUsage['levels'],
  rows: readonly UsageTotal[],
): Decimal {
  let level = levels.reduce((sum, one) => sum + decimal(one.level), 0n)
  let integral = 0n
  for (const [index, { from, to }] of usage.windows.entries()) {
    const own = rows.filter((row) => row.window === index)
    if (windows.includes(index)) {
      integral += level * BigInt(to.getTime() - from.getTime())
      for (const row of own) integral += decimal(row.change_ms)
    }
    for (const row of own) level += decimal(row.change)
  }
  const length = BigInt(usage.to.getTime() - usage.from.getTime())
  return integral <= 0n ? 0n : divideRounded(integral, length)
}

/** Usage without the dimension is used all the same: it has a group of its own. */
const byGroup = <T extends { dimensions: Dimensions }>({ group_by }: MeteredCharge, rows: readonly T[]) =>
  groupBy(rows, ({ dimensions }) =>
    JSON.stringify(Object.fromEntries((group_by ?? []).map((name) => [name, dimensions[name] ?? '']))),
  )
