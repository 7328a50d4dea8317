import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { SecretBox } from '../../platform/keys/secret-box.ts'
import type { Log } from '../../platform/log.ts'
import type { AddressRules } from './webhooks/addresses.ts'

export type FeedDeps = {
  /** Under row security: only what the caller's organisation may see. */
  db: Db
  /** The role of the group, for all organisations. */
  allOrgs: Db
  now: Clock
  random: () => number
  log: Log
  /** What secrets of webhooks are kept in. */
  box: SecretBox
  addresses: AddressRules
}
