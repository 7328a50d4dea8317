import { execute, rows, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal } from '../../../platform/decimal.ts'
import type { PrepaidCredit } from '../rating/credits.ts'

/** A credit with what may be taken of it now (`left`), and what was deducted from it and is on no invoice yet. */
export type Credit = PrepaidCredit & {
  kind: 'paid' | 'promotional'
  /** Who bears a promotion: the partner whose plan has it; null for the operator. */
  partner: string | null
  on_account: Decimal
}
type Row = {
  id: string
  kind: Credit['kind']
  partner: string | null
  left: string
  on_account: string
  priority: number
  expires_at: Date | null
  applies_to: string[] | null
  package: string | null
}

/**
 * Waits until nobody else takes credits of the tenant; held until the transaction ends. After the lock of an invoice,
 * never before it. Not a lock of rows: a tenant may get its first credit while somebody looks for some.
 */
export const lockWallet = (tx: Tx, tenant: string): Promise<void> => lockWallets(tx, [tenant])

/** The same for several; in one order, so that nobody waits for another in a circle. */
export async function lockWallets(tx: Tx, tenants: readonly string[]): Promise<void> {
  const keys = tenants.map((tenant) => `credits/${tenant}`).sort()
  await tx.raw('select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(?::text[]) as k (key)', [keys])
}

/** What a tenant has in a currency at a time. What has not begun or has expired has nothing left to take. */
export async function openCredits(tx: Tx, tenant: string, currency: string, at: Date): Promise<Credit[]> {
  const found = await rows<Row>(
    tx,
    `select id, kind, partner, on_account::text, priority, expires_at, applies_to, package,
       (case when starts_at <= ? and (expires_at is null or expires_at > ?) then remaining else 0 end)::text as left
     from metering.credits where tenant = ? and currency = ? and open`,
    [at, at, tenant, currency],
  )
  return found.map(({ left, on_account, applies_to, package: of, ...one }) => ({
    ...one,
    left: decimal(left),
    on_account: decimal(on_account),
    ...(applies_to === null ? {} : { applies_to }),
    ...(of === null ? {} : { package: of }),
  }))
}

/** Rates a tenant's open invoices again: what they leave to pay has changed. Before its wallet is locked. */
export async function markWalletChanged(tx: Tx, tenant: string): Promise<void> {
  // In the order of all others who lock several months.
  await execute(
    tx,
    `update metering.invoices i set stale = true
     from (select period from metering.invoices where tenant = ? and status = 'gathering' order by period for update) o
     where i.tenant = ? and i.period = o.period`,
    [tenant, tenant],
  )
}

/**
 * The same where the wallets are locked already, as invoices of a month are issued: whoever holds a month at this moment
 * marks it itself, and may wait for the wallet.
 */
export async function markWalletsUsed(tx: Tx, tenants: readonly string[], period: string): Promise<void> {
  if (tenants.length === 0) return
  await execute(
    tx,
    `update metering.invoices i set stale = true
     from (select tenant, period from metering.invoices
           where tenant = any(?::text[]) and period <> ? and status = 'gathering' and not stale
           for update skip locked) o
     where i.tenant = o.tenant and i.period = o.period`,
    [tenants, period],
  )
}
