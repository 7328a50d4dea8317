import { type Decimal, SCALE } from '../../../platform/decimal.ts'
import { HOUR_MS } from './whole-hours.ts'

/** Usage is refused when it is this old. Older texts say 6 hours or 1; this is the API's own. */
const OLDEST_MS = 24 * HOUR_MS
/** After the end of a month its usage is taken until 06:00 UTC, however young it is. */
const MONTH_GRACE_MS = 6 * HOUR_MS
/** The API's quantity is a signed 32-bit integer. */
const MOST_AT_ONCE = 2_147_483_647n

export type HourUsage = { hour: Date; quantity: Decimal }
/** Usage of (start, end], put to the last hour in it. */
export type Window = { start: Date; end: Date; quantity: bigint }

/** The time a window is reported for: the last hour in it, so that no two windows share one. */
export const timestampOf = ({ end }: Pick<Window, 'end'>): Date => new Date(end.getTime() - HOUR_MS)

/** From when on AWS refuses usage of this time. */
export function deadlineOf(timestamp: Date): Date {
  const nextMonth = Date.UTC(timestamp.getUTCFullYear(), timestamp.getUTCMonth() + 1)
  return new Date(Math.min(timestamp.getTime() + OLDEST_MS, nextMonth + MONTH_GRACE_MS))
}

/**
 * Cuts the hours from `from` to `until` into windows of whole quantities. `carried` is what earlier hours left over:
 * fractions, and usage that came after its hour was cut. What is no whole number stays and is carried on, so that the
 * windows of any number of runs sum to the usage, less a fraction.
 */
export function planWindows(plan: {
  carried: Decimal
  hours: readonly HourUsage[]
  lastEnd: Date
  from: Date
  until: Date
}): Window[] {
  const usage = new Map(plan.hours.map(({ hour, quantity }) => [hour.getTime(), quantity]))
  const windows: Window[] = []
  let available = plan.carried
  let start = plan.lastEnd
  for (let hour = plan.from.getTime(); hour < plan.until.getTime(); hour += HOUR_MS) {
    available += usage.get(hour) ?? 0n
    if (available < SCALE) continue
    const whole = available / SCALE
    const quantity = whole < MOST_AT_ONCE ? whole : MOST_AT_ONCE
    available -= quantity * SCALE
    const end = new Date(hour + HOUR_MS)
    windows.push({ start, end, quantity })
    start = end
  }
  return windows
}

const MOST_RECORDS = 25
/** A call must be smaller than 1 MB; the rest is room for what surrounds the records. */
const MOST_BYTES = 1_000_000 - 1_000

/** Groups records for calls: one product each, at most 25 records, and less than 1 MB by `sizeOf`. */
export function batchesOf<T extends { product: string }>(records: readonly T[], sizeOf: (record: T) => number): T[][] {
  const batches: T[][] = []
  const open = new Map<string, { batch: T[]; bytes: number }>()
  for (const record of records) {
    const bytes = sizeOf(record)
    let current = open.get(record.product)
    if (!current || current.batch.length === MOST_RECORDS || current.bytes + bytes > MOST_BYTES) {
      current = { batch: [], bytes: 0 }
      open.set(record.product, current)
      batches.push(current.batch)
    }
    current.batch.push(record)
    current.bytes += bytes
  }
  return batches
}
