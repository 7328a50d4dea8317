const FIRST_MS = 5_000
const LONGEST_MS = 3_600_000
/** With the delays below more than a day: longer than any outage that mends itself. */
export const MOST_ATTEMPTS = 40

/**
 * How long to wait after the n-th attempt (from 1) failed: twice as long each time up to an hour, of which a random half
 * is left out so that what failed together does not come back together. Never shorter than was asked for.
 */
export function retryDelayMs(attempts: number, random: number, askedMs = 0): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempts - 1, 20))
  return Math.max(Math.round(full * (1 - random / 2)), askedMs)
}
