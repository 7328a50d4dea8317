import type { Clock } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db.ts'
import type { Log } from '../../../platform/log.ts'
import type { PaymentGateway } from './gateway.ts'

/** What sending invoices for payment needs. `db` is the pool of HTTP callers, `allTenants` that of metering itself. */
export type PaymentDeps = {
  db: Db
  allTenants: Db
  wake: () => void
  log: Log
  now: Clock
  /** From 0 to 1: spreads repeated attempts. */
  random: () => number
  /** Null without a key: what would be sent is recorded, and nothing is sent. */
  gateway: PaymentGateway | null
  webhookSecrets: readonly string[]
  /** 0: Stripe collects at once from what the customer has on file. */
  daysUntilDue: number
  /** Whether this process is the one that sends. */
  leads: () => boolean
}
export const STRIPE = 'stripe'

export const modeOf = ({ gateway }: Pick<PaymentDeps, 'gateway'>): 'dry_run' | 'live' | 'test' =>
  gateway?.mode ?? 'dry_run'
