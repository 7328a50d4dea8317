import { type Decimal, SCALE } from '../../../platform/decimal.ts'
import { HOUR_MS, hourOf } from './whole-hours.ts'

/** Usage this old is refused by Stripe. */
export const OLDEST_MS = 35 * 24 * HOUR_MS
/** What is nearer to that is as good as too old: it has to get there. */
export const MARGIN_MS = 10 * 60_000
/** Stripe takes 15 digits. */
const MOST_AT_ONCE = 10n ** 15n - 1n

/** Usage of an hour that is in no window yet; below zero where usage that is in one is billed no more. */
export type Difference = {
  hour: Date
  usage: Decimal
  /** Whether some of the hour was told or will be, and otherwise what became of its last window. */
  told: boolean
  untold: 'failed' | 'too_old' | 'dry_run' | null
}
export type MeterWindow = {
  hour: Date
  /** The time it is told for. */
  at: Date
  usage: Decimal
  /** The whole number that is told. */
  value: bigint
  state: 'pending' | 'carried' | 'too_old' | 'failed' | 'dry_run'
  error: string | null
}

/**
 * Makes a window of each hour's difference, in the order of hours. Stripe takes whole numbers: what is left over is
 * carried on, so that the values of any number of runs sum to the usage, less a fraction. Hours before `cutBefore` were
 * cut in an earlier run, so that what they get now is late.
 */
export function cutWindows(plan: {
  carried: Decimal
  differences: readonly Difference[]
  cutBefore: Date
  now: Date
  dry: boolean
}): MeterWindow[] {
  let available = plan.carried
  return plan.differences.map(({ hour, usage, told, untold }) => {
    available += usage
    const value = wholeOf(available)
    available -= value * SCALE
    const at = timeOf(hour, hour < plan.cutBefore, plan.now)
    const rest = { hour, at, usage, value, error: null }
    if (value === 0n) return { ...rest, state: 'carried' }
    // What was never told must not be taken back.
    if (value < 0n && !told && untold !== null) return { ...rest, state: untold, error: 'never_told' }
    if (plan.dry) return { ...rest, state: 'dry_run' }
    if (isTooOld(at, plan.now)) return { ...rest, state: 'too_old', error: 'too_late' }
    return { ...rest, state: 'pending' }
  })
}

export const isTooOld = (at: Date, now: Date): boolean => at.getTime() - MARGIN_MS <= now.getTime() - OLDEST_MS

/** Rounded down, so that what is carried on is a fraction from 0 to 1, unless it is more than Stripe takes. */
function wholeOf(available: Decimal): bigint {
  const whole = available >= 0n ? available / SCALE : -((-available + SCALE - 1n) / SCALE)
  if (whole > MOST_AT_ONCE) return MOST_AT_ONCE
  return whole < -MOST_AT_ONCE ? -MOST_AT_ONCE : whole
}

/**
 * The time an hour is told for: its own, so that no window lies in two months. What is late is told for the last hour of
 * its month where Stripe takes its own no more, and for the newest hour where it takes none of that month.
 */
function timeOf(hour: Date, late: boolean, now: Date): Date {
  if (!late || !isTooOld(hour, now)) return hour
  const lastOfMonth = new Date(Date.UTC(hour.getUTCFullYear(), hour.getUTCMonth() + 1) - HOUR_MS)
  return isTooOld(lastOfMonth, now) ? hourOf(now) : lastOfMonth
}
