import { execute, type Tx } from '../../../platform/db.ts'
import type { Decimal } from '../../../platform/decimal.ts'
import { expireOne } from './end-credit.ts'
import { take } from './take.ts'
import { lockWallet, markWalletChanged } from './wallet.ts'

/** What comes back to a credit. */
export type Returned = { id: string; amount: Decimal }
type GivingBack = {
  tenant: string
  currency: string
  invoice_id: string
  /** The credit note that gives it back. */
  document_id: string
  back: readonly Returned[]
}

/** A month and four days: whatever day it comes back, it can pay the invoice that bills the same usage anew. */
const USABLE_DAYS = 35
const DAY_MS = 86_400_000

/**
 * Gives back to prepaid credits what they had paid of an invoice, each to the one it came from. One that has expired
 * meanwhile, or is about to, lives on so that it can be used. The invoice's lock is held; the wallet is locked here.
 */
export async function giveBack(tx: Tx, giving: GivingBack, at: Date): Promise<void> {
  const { tenant, currency, invoice_id, document_id, back } = giving
  if (back.length === 0) return
  await markWalletChanged(tx, tenant)
  await lockWallet(tx, tenant)
  // What was left of an expired one is gone, whether or not the clock has come by: only what comes back lives on.
  for (const { id } of back) await expireOne(tx, tenant, id, at)
  await take(
    tx,
    {
      ...{ tenant, currency, kind: 'return' },
      taken: back.map(({ id, amount }) => ({ credit_id: id, amount: -amount })),
      to: { account: 'tenant_receivable' },
      posting: { kind: 'credit_return', invoice_id, document_id },
    },
    at,
  )
  const usable = new Date(at.getTime() + USABLE_DAYS * DAY_MS)
  await execute(
    tx,
    `update metering.credits set granted_until = coalesce(granted_until, expires_at), expires_at = ?
     where tenant = ? and id = any(?::uuid[]) and expires_at < ?`,
    [usable, tenant, back.map(({ id }) => id), usable],
  )
}
