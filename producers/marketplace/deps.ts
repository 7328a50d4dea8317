import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'

/** What the marketplace's calls need. `publicUrl` is where its own pages are reached; times are hours. */
export type MarketplaceDeps = {
  db: Db
  /** Called after a commit that published events. */
  wake: () => void
  now: Clock
  publicUrl: () => string
  reviewTargetHours: number
}

export const SOURCE = '//atom/marketplace'
