import type { Activity } from '../../../platform/activity.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import type { Clock } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db.ts'
import type { Lifecycle } from '../../../platform/lifecycle.ts'
import type { Log } from '../../../platform/log.ts'
import type { Metrics } from '../../../platform/metrics.ts'
import { runPeriodically } from '../../../platform/periodic.ts'
import type { TrustRoot } from '../trust/trust-root.ts'
import { measureRescans } from './measure-rescans.ts'
import { requestRescans } from './request-rescans.ts'

const ASK_MS = 1_000
const IDLE_MS = 5_000
const MEASURE_MS = 15_000

export type Rescanning = {
  db: Db
  now: Clock
  bus: Pick<Bus, 'wake'>
  activity: Activity
  log: Log
  metrics: Metrics
  lifecycle: Lifecycle
  settings: { rescansPerMinute: number }
  trustRoot: () => TrustRoot
}

/** Asks for new verdicts on stored versions, round by round, for as long as the process runs. `db` is the marketplace's own. */
export function startRescans({
  db,
  now,
  bus,
  activity,
  log,
  metrics,
  lifecycle,
  settings,
  trustRoot,
}: Rescanning): void {
  const periodically = (name: string, everyMs: number, work: () => Promise<unknown>) =>
    lifecycle.onClose(name, runPeriodically(name, everyMs, work, log, { idleMs: IDLE_MS, activity }).stop)
  const asking = { db, now, wake: bus.wake, perMinute: settings.rescansPerMinute, trustRoot }
  periodically('new verdicts on stored versions', ASK_MS, () => requestRescans(asking))
  periodically('measuring of new verdicts', MEASURE_MS, measureRescans(db, metrics))
}
