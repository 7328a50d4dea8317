import { row, rows, type Tx } from '../../platform/db.ts'
import type { MeteredCharge, Plan } from './rating/plan.ts'
import type { Subscription } from './rating/usage.ts'

/** Plans a tenant is subscribed to in a span, each with its versions up to the end of it. */
export const loadSubscriptions = async (tx: Tx, tenant: string, start: Date, end: Date): Promise<Subscription[]> =>
  (await loadSubscriptionsOf(tx, [tenant], start, end)).get(tenant) ?? []

/** The same of many tenants; who has none is not in it. */
export async function loadSubscriptionsOf(
  tx: Tx,
  tenants: readonly string[],
  start: Date,
  end: Date,
): Promise<Map<string, Subscription[]>> {
  type Row = Omit<Subscription, 'versions'> & {
    tenant: string
    versions: { id: string; effective_from: string; plan: Plan }[]
  }
  const found = await rows<Row>(
    tx,
    `select s.tenant, s.id, s.partner, s.package, s.starts_at, s.ends_at,
       (select jsonb_agg(jsonb_build_object('id', v.id, 'effective_from', v.effective_from, 'plan', v.body)
                         order by v.effective_from, v.id)
        from metering.plans v
        where v.partner = s.partner and (v.id = s.plan_id or v.first_version = s.plan_id) and v.effective_from < ?) as versions
     from metering.subscriptions s join metering.plans p on p.partner = s.partner and p.id = s.plan_id
     where s.tenant = any(?::text[]) and s.starts_at < ? and (s.ends_at is null or s.ends_at > ?) and p.effective_from < ?
     order by s.starts_at, s.id`,
    [end, tenants, end, start, end],
  )
  const sold = new Map<string, Subscription[]>()
  for (const { tenant, ...one } of found) {
    const versions = one.versions.map((version) => ({ ...version, effective_from: new Date(version.effective_from) }))
    sold.set(tenant, [...(sold.get(tenant) ?? []), { ...one, versions }])
  }
  return sold
}

export const meteredCharges = (subscriptions: readonly Subscription[]): MeteredCharge[] =>
  subscriptions.flatMap(({ versions }) => versions.flatMap(({ plan }) => metered(plan)))

export const metered = (plan: Plan): MeteredCharge[] =>
  plan.charges.flatMap((charge) => (charge.model === 'flat' ? [] : [charge]))

/** The one currency of a tenant: of its subscriptions, US dollars before it has any. */
export async function currencyOf(tx: Tx, tenant: string): Promise<string> {
  const found = await row<{ currency: string }>(
    tx,
    'select currency from metering.subscriptions where tenant = ? order by starts_at limit 1',
    [tenant],
  )
  return found?.currency ?? 'USD'
}
