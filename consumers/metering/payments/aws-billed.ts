import { periodBounds } from '../../../platform/utc-time.ts'

export type BilledLine = { package?: string; meter?: string; period: string }
/** Usage that AWS bills from `since` until `ends_at`, or for good. */
export type AwsProduct = { package: string; meter: string; since: Date; ends_at: Date | null }

/** How much of a tenant's lines AWS charges for: fees without a meter are never among it. */
export function shareOfAws(lines: readonly BilledLine[], products: readonly AwsProduct[]): 'none' | 'part' | 'whole' {
  const shares = new Set(lines.map((line) => shareOf(line, products)))
  if (shares.size > 1) return 'part'
  return [...shares][0] ?? 'none'
}

function shareOf(line: BilledLine, products: readonly AwsProduct[]): 'none' | 'part' | 'whole' {
  const { start, end } = periodBounds(line.period)
  const inside = products.find(
    (one) =>
      one.package === line.package &&
      one.meter === line.meter &&
      one.since < end &&
      (one.ends_at === null || one.ends_at > start),
  )
  if (!inside) return 'none'
  return inside.since <= start && (inside.ends_at === null || inside.ends_at >= end) ? 'whole' : 'part'
}
