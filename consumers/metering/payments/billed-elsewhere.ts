import { periodBounds } from '../../../platform/utc-time.ts'

export type BilledLine = { package?: string; meter?: string; period: string }
/** Usage that somebody else charges for from `since` until `ends_at`, or for good; null: of any package. */
export type BilledElsewhere = { package: string | null; meter: string; since: Date; ends_at: Date | null }
export type Share = 'none' | 'part' | 'whole'

/** How much of a tenant's lines is charged for elsewhere: fees without a meter are never among it. */
export function shareElsewhere(lines: readonly BilledLine[], elsewhere: readonly BilledElsewhere[]): Share {
  const shares = new Set(lines.map((line) => shareOf(line, elsewhere)))
  if (shares.size > 1) return 'part'
  return [...shares][0] ?? 'none'
}

function shareOf(line: BilledLine, elsewhere: readonly BilledElsewhere[]): Share {
  const { start, end } = periodBounds(line.period)
  const inside = elsewhere.filter(
    (one) =>
      (one.package === null || one.package === line.package) &&
      one.meter === line.meter &&
      one.since < end &&
      (one.ends_at === null || one.ends_at > start),
  )
  if (inside.length === 0) return 'none'
  const whole = inside.some(({ since, ends_at: ends }) => since <= start && (ends === null || ends >= end))
  return whole ? 'whole' : 'part'
}
