import type { ReplayRange } from '../../../platform/replay/replay.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import type { Plan } from '../rating/plan.ts'
import type { PeriodUsage, PlanVersion } from '../rating/usage.ts'

export type ReratingState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'
/** Another price than the one in force: of one partner's subscriptions, or of everybody's. */
export type OtherPlan = { partner: string | null; id: string; plan: Plan }
/** What the log holds of a month: everything recorded since `from` (null: since its first day), read up to `to`. */
export type Covers = { from: string | null; to: string | null; complete: boolean }

/** A month of one tenant, or of all, counted again from the log and compared with what was invoiced. */
export type Rerating = {
  id: string
  state: ReratingState
  nightly: boolean
  tenant: string | null
  period: string
  as_of: Date | null
  other_plan: OtherPlan | null
  step: number
  ranges: ReplayRange[]
  events: number
  records: number
  left_out: number
  expected_events: number
  covers: Covers | null
  compared_to: string | null
  not_counted: { events: number; dead_letters: number } | null
  code: string | null
  note: string | null
  requested_by: string
  requested_at: Date
  started_at: Date | null
  ended_at: Date | null
}

/** Where the log is counted into, beside the live tables. */
export const RERATING_SCHEMA = 'metering_rerating'
export const RERATING_TABLES = ['dedupe', 'rollups', 'distinct_values', 'priced_events'] as const

/** More than a record may be ahead of the clock of who receives it (5 minutes). */
const AHEAD_MS = 3_600_000

/** No report that was received before this has a record of the month. */
export const firstReceived = (period: string): Date => new Date(periodBounds(period).start.getTime() - AHEAD_MS)

/** A tenant's usage as another plan would price it; without one as it is priced. */
export function underPlan(usage: PeriodUsage, other: Pick<OtherPlan, 'partner' | 'id' | 'plan'> | null): PeriodUsage {
  if (!other) return usage
  const versions: PlanVersion[] = [{ id: other.id, effective_from: new Date(0), plan: other.plan }]
  const isMeant = (partner: string) => other.partner === null || other.partner === partner
  return {
    ...usage,
    subscriptions: usage.subscriptions.map((sold) => (isMeant(sold.partner) ? { ...sold, versions } : sold)),
  }
}
