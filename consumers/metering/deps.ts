import type { Bus } from '../../platform/bus/bus.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { Log } from '../../platform/log.ts'

/** What metering's calls and handlers need. `db` is the pool of HTTP callers, `allTenants` that of metering itself. */
export type MeteringDeps = {
  db: Db
  allTenants: Db
  wake: () => void
  /** Reports as they stand in the log, for as long as it keeps them. */
  bus: Pick<Bus, 'bounds' | 'read'>
  log: Log
  /** Tenants whose last rating or issuing failed, and why. */
  failing: Map<string, string>
  now: Clock
  partnerSharePercent: string
  /** How long after its end a month still collects usage before its invoices may be issued. */
  collectionHours: number
  /** Days after its issue by which an invoice is to be paid. */
  paymentDays: number
}
export const SOURCE = '//atom/metering'
