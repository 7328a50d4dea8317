import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'

/** What metering's calls and handlers need. `db` is the pool of HTTP callers, `allTenants` that of metering itself. */
export type MeteringDeps = {
  db: Db
  allTenants: Db
  wake: () => void
  now: Clock
  partnerSharePercent: string
  /** How long after its end a month still collects usage before its invoices may be issued. */
  collectionHours: number
}
export const SOURCE = '//atom/metering'
