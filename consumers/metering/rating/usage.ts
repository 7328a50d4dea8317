import type { Plan } from './plan.ts'

/** Values of the dimensions that a plan names; others are not kept. */
export type Dimensions = Readonly<Record<string, string>>
/** A stretch of time, `to` excluded. */
export type Window = { from: Date; to: Date }

/**
 * What was used in one window (by its place in `PeriodUsage.windows`) per meter, package ('' where the report named
 * none) and dimensions: enough for every aggregation but `unique`. Quantities are decimal texts.
 */
export type UsageTotal = {
  window: number
  meter: string
  package: string
  dimensions: Dimensions
  quantity: string
  records: number
  maximum: string | null
  latest: { at: string; id: string; quantity: string } | null
  /** Sum of what was added less what was removed: how far the level of the meter moved. */
  change: string
  /** Sum of each change times the milliseconds from it to the end of the window. */
  change_ms: string
}
/** Values seen in a window; `of` is the dimension they are values of, '' for the quantities themselves. */
export type DistinctValues = Pick<UsageTotal, 'window' | 'meter' | 'package' | 'dimensions'> & {
  of: string
  values: readonly string[]
}
/** A single event, kept only where a price depends on single events. */
export type UsageEvent = Pick<UsageTotal, 'window' | 'meter' | 'package' | 'dimensions'> & {
  at: string
  id: string
  quantity: string
}
/** Level of a meter when the period began: what all earlier usage added and removed. */
export type OpeningLevel = Pick<UsageTotal, 'meter' | 'package' | 'dimensions'> & { level: string }

/** Usage that was counted and is not billed because of what became of the version it was of. */
export type QuarantinedUsage = Pick<UsageTotal, 'meter' | 'package' | 'quantity'> & {
  version: string
  cause: 'rejected' | 'yanked' | 'blocked'
  state: 'quarantined' | 'written_off'
}

/** A plan from the time it takes effect until the next version does. */
export type PlanVersion = { id: string; effective_from: Date; plan: Plan }
export type Subscription = {
  id: string
  partner: string
  package: string
  starts_at: Date | null
  ends_at: Date | null
  /** Rising by `effective_from`; the first also prices what is earlier. */
  versions: readonly PlanVersion[]
}

/** A tenant's period: what it used in each window of it, and what it is subscribed to. */
export type PeriodUsage = {
  /** Its name on lines: a month such as 2026-11, or `from/to`. */
  period: string
  from: Date
  to: Date
  /** The period cut wherever a price of any subscription changes. */
  windows: readonly Window[]
  subscriptions: readonly Subscription[]
  totals: readonly UsageTotal[]
  levels: readonly OpeningLevel[]
  distinct: readonly DistinctValues[]
  events: readonly UsageEvent[]
  /** Not in any of the others; absent where nothing can be quarantined, as in a rehearsal. */
  quarantined?: readonly QuarantinedUsage[]
}

/** Cuts a period wherever a price of one of the subscriptions changes. */
export function windowsOf(from: Date, to: Date, subscriptions: readonly Subscription[]): Window[] {
  const cuts = subscriptions.flatMap(({ versions }) => versions.slice(1).map((one) => one.effective_from.getTime()))
  const inside = [...new Set(cuts)].filter((cut) => cut > from.getTime() && cut < to.getTime()).sort((a, b) => a - b)
  const starts = [from.getTime(), ...inside]
  return starts.map((start, index) => ({ from: new Date(start), to: new Date(starts[index + 1] ?? to.getTime()) }))
}
