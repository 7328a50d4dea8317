import { execute, rows, type Tx } from '../../platform/db.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import type { Credit } from './credits/wallet.ts'
import { loadShares } from './life/share-contracts.ts'
import { loadSubscriptionsOf, meteredCharges } from './load-subscriptions.ts'
import { loadTotals } from './load-totals.ts'
import { quarantinedTenants } from './quarantine/quarantined-usage.ts'
import { groupBy } from './rating/group-by.ts'
import { needsEvents } from './rating/measure.ts'
import type { LatePeriod, RatingPolicy } from './rating/rate-invoice.ts'
import { type PeriodUsage, type Subscription, windowsOf } from './rating/usage.ts'

/** What an open month is rated from. */
export type LoadedMonth = {
  current: PeriodUsage
  late: LatePeriod[]
  currency: string
  shareOf: RatingPolicy['shareOf']
  credits: readonly Credit[]
}

/**
 * The month of many tenants in a few statements. Only of those whose prices take sums of the whole month: who has late
 * usage, credits, something quarantined, a price that changed within the month, or one that needs single events, values
 * or levels is not in the result, and is loaded alone, because that may be much to hold at once.
 */
export async function loadTogether(
  tx: Tx,
  tenants: readonly string[],
  period: string,
  share: string,
): Promise<ReadonlyMap<string, LoadedMonth>> {
  const { start: from, end: to } = periodBounds(period)
  const subscriptions = await loadSubscriptionsOf(tx, tenants, from, to)
  const special = await rows<{ tenant: string }>(
    tx,
    `select tenant from metering.late_periods where tenant = any(?::text[])
     union select tenant from metering.credits where tenant = any(?::text[]) and open`,
    [tenants, tenants],
  )
  const apart = new Set([...special.map(({ tenant }) => tenant), ...(await quarantinedTenants(tx, tenants))])
  const ofTenant = (tenant: string) => subscriptions.get(tenant) ?? []
  const together = tenants.filter((tenant) => !apart.has(tenant) && isPlain(from, to, ofTenant(tenant)))
  if (together.length === 0) return new Map()
  const windows = [{ from, to }]
  // The planner expects far more groups than there are, and would rather sort all rows on disk than hash those.
  await execute(tx, "set local work_mem = '64MB'")
  const charges = together.flatMap((tenant) => meteredCharges(ofTenant(tenant)))
  const of = { schema: 'metering', tenants: together, windows, whole: true }
  const totals = groupBy(await loadTotals(tx, of, charges), ({ tenant }) => tenant)
  const currencies = await rows<{ tenant: string; currency: string }>(
    tx,
    `select distinct on (tenant) tenant, currency from metering.subscriptions where tenant = any(?::text[])
     order by tenant, starts_at`,
    [together],
  )
  const shareOf = await loadShares(tx, share)
  const currencyOf = new Map(currencies.map(({ tenant, currency }) => [tenant, currency]))
  const month = { period, from, to, windows, levels: [], distinct: [], events: [], quarantined: [] }
  return new Map(
    together.map((tenant) => [
      tenant,
      {
        current: { ...month, subscriptions: ofTenant(tenant), totals: totals.get(tenant) ?? [] },
        late: [],
        currency: currencyOf.get(tenant) ?? 'USD',
        shareOf,
        credits: [],
      },
    ]),
  )
}

function isPlain(from: Date, to: Date, subscriptions: readonly Subscription[]): boolean {
  if (windowsOf(from, to, subscriptions).length > 1) return false
  return meteredCharges(subscriptions).every(
    (charge) => charge.aggregation !== 'weighted_sum' && charge.aggregation !== 'unique' && !needsEvents(charge),
  )
}
