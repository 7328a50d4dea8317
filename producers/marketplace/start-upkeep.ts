import type { Activity } from '../../platform/activity.ts'
import type { Bus } from '../../platform/bus/bus.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { Lifecycle } from '../../platform/lifecycle.ts'
import type { Log } from '../../platform/log.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { runPeriodically } from '../../platform/periodic.ts'
import { tellUntoldReaders } from './catalog/tell-readers.ts'
import { startRescans } from './rescans/start-rescans.ts'
import type { TrustRoot } from './trust/trust-root.ts'
import { queueUnanswered } from './unanswered.ts'

const MINUTE_MS = 60_000

type Shared = {
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

/** What the marketplace does by itself for as long as the process runs. `db` is its own. */
export function startUpkeep(shared: Shared): void {
  const { db, now, bus, log, lifecycle } = shared
  const everyMinute = (name: string, work: () => Promise<unknown>) =>
    lifecycle.onClose(name, runPeriodically(name, MINUTE_MS, work, log).stop)
  everyMinute('versions without a verdict', () => queueUnanswered(db, now()))
  everyMinute('telling of readers', () => tellUntoldReaders({ db, now, wake: bus.wake }))
  startRescans(shared)
}
