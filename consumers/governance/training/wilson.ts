/** A share with its 95 % interval (Wilson), which also holds for few items and for shares near 0 or 1. */
export function wilson(hits: number, of: number): { share: number; low: number; high: number } {
  if (of === 0) return { share: 0, low: 0, high: 1 }
  const z = 1.959964 // the 97.5th percentile of the normal distribution
  const share = hits / of
  const middle = (share + (z * z) / (2 * of)) / (1 + (z * z) / of)
  const half = (z / (1 + (z * z) / of)) * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of))
  return { share, low: Math.max(0, middle - half), high: Math.min(1, middle + half) }
}

const percent = (value: number): string => (100 * value).toFixed(1)

/** `12/35 34.3 % (20.8..50.8)`, or `-` when there is nothing to count. */
export function shareText(hits: number, of: number): string {
  if (of === 0) return '-'
  const { share, low, high } = wilson(hits, of)
  return `${hits}/${of} ${percent(share)} % (${percent(low)}..${percent(high)})`
}
