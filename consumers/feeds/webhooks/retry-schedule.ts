const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** Waits after the first failure, the second and so on; together a day, longer than most outages. */
export const RETRY_WAITS_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  4 * HOUR,
  6 * HOUR,
  10 * HOUR,
]
export const MOST_ATTEMPTS = RETRY_WAITS_MS.length + 1
/** Of each wait a fifth more or less, so that what failed together does not come back together. */
const JITTER = 0.2
/** After so many days without one success a webhook is not called any more. */
export const DISABLED_AFTER_DAYS = 5

/** How long to wait after the n-th attempt (from 1) failed, or null after the last one. `random` is in [0, 1). */
export function retryWaitMs(attempt: number, random: number, askedMs = 0): number | null {
  const wait = RETRY_WAITS_MS[attempt - 1]
  return wait === undefined ? null : Math.max(Math.round(wait * (1 - JITTER + 2 * JITTER * random)), askedMs)
}
