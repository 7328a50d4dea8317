import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { SigningKey } from '../../platform/keys/signing-key.ts'
import type { TrustRoot } from './trust/trust-root.ts'

/** What the marketplace's calls need. `publicUrl` is where its own pages are reached; times are hours. */
export type MarketplaceDeps = {
  db: Db
  /** Called after a commit that published events. */
  wake: () => void
  now: Clock
  publicUrl: () => string
  reviewTargetHours: number
  /** Whose certificates, logs and timestamps are believed. */
  trustRoot: () => TrustRoot
  /** What the marketplace signs verdicts and decisions with. */
  registryKey: SigningKey
  /** OIDC issuers whose people are members by name; none where tokens themselves say organisation and roles. */
  memberIssuers: readonly string[]
}

export const SOURCE = '//atom/marketplace'
