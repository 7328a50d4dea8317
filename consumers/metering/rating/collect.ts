import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import type { KeptDimensions } from './kept.ts'
import { isAfter } from './measure.ts'
import type { Dimensions, DistinctValues, OpeningLevel, UsageEvent, UsageTotal, Window } from './usage.ts'

/** One record of usage as it was accepted: quantity in decimal text, negative where it lowers the level of a meter. */
export type UsageRecord = {
  id: string
  meter: string
  quantity: string
  time: string
  package?: string
  dimensions?: Dimensions
}
export type Collected = {
  totals: UsageTotal[]
  levels: OpeningLevel[]
  distinct: DistinctValues[]
  events: UsageEvent[]
}

/**
 * Adds records up per window, meter, package and kept dimensions, in memory: what counting does in the database. Records
 * before the first window only set opening levels, later ones than the last window are left out. `collected` may be
 * asked at any time; a record whose id came before is ignored.
 */
export function collector(windows: readonly Window[], kept: KeptDimensions) {
  const totals = new Map<string, UsageTotal>()
  const levels = new Map<string, OpeningLevel>()
  const distinct = new Map<string, DistinctValues & { values: string[]; seen: Set<string> }>()
  const events: UsageEvent[] = []
  const ids = new Set<string>()

  function add(record: UsageRecord): void {
    if (ids.has(record.id)) return
    ids.add(record.id)
    const at = new Date(record.time)
    const { meter } = record
    const dimensions = kept.of(meter, record.dimensions ?? {})
    const place = { meter, package: record.package?.split('@')[0] ?? '', dimensions }
    const change = decimal(record.quantity)
    if (at < (windows[0] as Window).from) {
      const key = JSON.stringify(place)
      levels.set(key, { ...place, level: formatDecimal(decimal(levels.get(key)?.level ?? '0') + change) })
      return
    }
    const window = windows.findIndex(({ from, to }) => at >= from && at < to)
    if (window === -1) return
    const row = { window, ...place }
    const key = JSON.stringify(row)
    totals.set(key, moved(totals.get(key) ?? empty(row), record, change, at, windows[window] as Window))
    if (change < 0n) return
    for (const of of kept.distinctOf(meter)) {
      const value = of === '' ? record.quantity : record.dimensions?.[of]
      if (value !== undefined) see(row, of, value)
    }
    if (kept.eventsOf(meter)) events.push({ ...row, at: at.toISOString(), id: record.id, quantity: record.quantity })
  }

  function see(
    row: Pick<DistinctValues, 'window' | 'meter' | 'package' | 'dimensions'>,
    of: string,
    value: string,
  ): void {
    const name = JSON.stringify([row, of])
    const set = distinct.get(name) ?? { ...row, of, values: [], seen: new Set<string>() }
    distinct.set(name, set)
    if (!set.seen.has(value)) set.values.push(value)
    set.seen.add(value)
  }

  const collected = (): Collected => ({
    totals: [...totals.values()],
    levels: [...levels.values()],
    distinct: [...distinct.values()].map(({ seen: _seen, ...one }) => one),
    events,
  })
  return { add, collected }
}

const empty = (row: Pick<UsageTotal, 'window' | 'meter' | 'package' | 'dimensions'>): UsageTotal => ({
  ...row,
  quantity: '0',
  records: 0,
  maximum: null,
  latest: null,
  change: '0',
  change_ms: '0',
})

function moved(total: UsageTotal, record: UsageRecord, change: bigint, at: Date, window: Window): UsageTotal {
  const level = {
    change: formatDecimal(decimal(total.change) + change),
    change_ms: formatDecimal(decimal(total.change_ms) + change * BigInt(window.to.getTime() - at.getTime())),
  }
  // What lowers a level was not used: sums, counts and the like see additions only.
  if (change < 0n) return { ...total, ...level }
  const one = { at: at.toISOString(), id: record.id, quantity: record.quantity }
  return {
    ...total,
    ...level,
    quantity: formatDecimal(decimal(total.quantity) + change),
    records: total.records + 1,
    maximum: total.maximum === null || change > decimal(total.maximum) ? record.quantity : total.maximum,
    latest: total.latest === null || isAfter(one, total.latest) ? one : total.latest,
  }
}
