import { row, type Tx } from '../../../platform/db.ts'
import { decimal } from '../../../platform/decimal.ts'
import { messageOf } from '../../../platform/errors.ts'
import type { MeteringDeps } from '../deps.ts'
import { originOf } from './grant-credit.ts'
import { take } from './take.ts'
import { lockWallet, markWalletChanged } from './wallet.ts'

type Left = {
  kind: 'paid' | 'promotional'
  currency: string
  partner: string | null
  remaining: string
  expires_at: Date | null
}
const AT_ONCE = 500

/** Takes what is left of credits that have expired; what the clock calls once a minute. Returns how many. */
export async function expireCredits({ allTenants, now, log }: MeteringDeps): Promise<number> {
  const due = await allTenants.query<{ tenant: string; id: string }>(
    `select tenant, id from metering.credits where open and remaining > 0 and expires_at <= ?
     order by expires_at, id limit ?`,
    [now(), AT_ONCE],
  )
  let expired = 0
  for (const { tenant, id } of due)
    try {
      if (await allTenants.transaction((tx) => expireOne(tx, tenant, id, now()))) expired += 1
    } catch (error) {
      // It is tried again, and the others go on.
      log.error('a prepaid credit could not be expired', { tenant, credit: id, error: messageOf(error) })
    }
  return expired
}

/** What a tenant paid for and did not use in time is ours; what it was given goes back to whoever gave it. */
async function expireOne(tx: Tx, tenant: string, id: string, at: Date): Promise<boolean> {
  const left = await lockLeft(tx, tenant, id)
  if (!left || left.expires_at === null || left.expires_at > at) return false
  const to = left.kind === 'paid' ? { account: 'breakage' as const } : originOf(left)
  const posting = { kind: 'credit_expiry' as const, document_id: id }
  await take(tx, { tenant, currency: left.currency, kind: 'expiry', taken: [wholeOf(id, left)], to, posting }, at)
  return true
}

/** Takes back what is left of a credit, as if that had not been granted. False where nothing is left. */
export async function voidCredit(tx: Tx, tenant: string, id: string, reason: string, at: Date): Promise<boolean> {
  const left = await lockLeft(tx, tenant, id)
  if (!left) return false
  const posting = { kind: 'grant' as const, document_id: id }
  const taken = [wholeOf(id, left)]
  await take(tx, { tenant, currency: left.currency, kind: 'void', taken, to: originOf(left), posting, reason }, at)
  return true
}

async function lockLeft(tx: Tx, tenant: string, id: string): Promise<Left | undefined> {
  await markWalletChanged(tx, tenant)
  await lockWallet(tx, tenant)
  return row<Left>(
    tx,
    `select kind, currency, partner, remaining::text, expires_at from metering.credits
     where tenant = ? and id = ? and remaining > 0`,
    [tenant, id],
  )
}

const wholeOf = (credit_id: string, { remaining }: Left) => ({ credit_id, amount: decimal(remaining) })
