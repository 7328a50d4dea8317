/** The smallest of 1, 2 or 5 times a power of ten that is at least `least`; all scaled alike. */
const roundStep = (least: bigint): bigint => {
  const power = 10n ** BigInt(least.toString().length - 1)
  return [1n, 2n, 5n].map((factor) => factor * power).find((step) => step >= least) ?? 10n * power
}

/**
 * Round axis values about `count` steps apart, ascending: all from `low` on, ending at or above `high`. Zero is one of
 * them. Scaled BigInts in and out; wants `low <= 0 <= high` and a distance between them.
 */
export const axisTicks = (low: bigint, high: bigint, count: bigint): bigint[] => {
  if (low > 0n || high < 0n || low === high) throw new RangeError('an axis needs a span that holds zero')
  const step = roundStep((high - low + count - 1n) / count)
  // BigInt division cuts towards zero, so this is the first multiple that is not below `low`.
  const ticks = [(low / step) * step]
  for (let last = ticks[0] ?? 0n; last < high; ) {
    last += step
    ticks.push(last)
  }
  return ticks
}
