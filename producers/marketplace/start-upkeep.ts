import { runPeriodically } from '../../platform/periodic.ts'
import { tellUntoldReaders } from './catalog/tell-readers.ts'
import { type Rescanning, startRescans } from './rescans/start-rescans.ts'
import { queueUnanswered } from './unanswered.ts'

const MINUTE_MS = 60_000

/** What the marketplace does by itself for as long as the process runs. `db` is its own. */
export function startUpkeep(shared: Rescanning): void {
  const { db, now, bus, log, lifecycle } = shared
  const everyMinute = (name: string, work: () => Promise<unknown>) =>
    lifecycle.onClose(name, runPeriodically(name, MINUTE_MS, work, log).stop)
  everyMinute('versions without a verdict', () => queueUnanswered(db, now()))
  everyMinute('telling of readers', () => tellUntoldReaders({ db, now, wake: bus.wake }))
  startRescans(shared)
}
