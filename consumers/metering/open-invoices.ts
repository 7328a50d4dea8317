import { execute, row, rows, type Tx } from '../../platform/db.ts'
import { periodOf } from '../../platform/utc-time.ts'
import { invoiceId } from './invoice.ts'
import { currencyOf } from './load-subscriptions.ts'

/**
 * Notes that months of a tenant, given in order, are to be rated again, making their open invoices where there are none.
 * Returns those that are open; the others are issued. All open months from `first` on are held until the transaction
 * ends: whoever has some of them may need those between. `ifIssued` is made as well where one of them is issued: what is
 * late needs it, and is known to be late only when months are held.
 */
export async function markStale(
  tx: Tx,
  tenant: string,
  periods: readonly string[],
  { first = periods[0] ?? '', ifIssued }: { first?: string; ifIssued?: string } = {},
): Promise<string[]> {
  const open = await markOpen(tx, tenant, periods, first, ALL_OPEN)
  if (open.length === periods.length) return open
  // No index is named: whoever makes the same invoice at this moment is met at either of the two that forbid it.
  const months = [...periods, ...(ifIssued === undefined || periods.includes(ifIssued) ? [] : [ifIssued])]
  await execute(
    tx,
    `insert into metering.invoices (tenant, id, period, status, currency, stale)
     select ?, i::uuid, p, 'gathering', ?, true from unnest(?::text[], ?::text[]) as n (p, i)
     where p = any(?::text[]) or exists (
       select 1 from metering.invoices where tenant = ? and period = any(?::text[]) and status = 'issued')
     on conflict do nothing`,
    [
      ...[tenant, await currencyOf(tx, tenant), months, months.map((one) => invoiceId(tenant, one))],
      ...[periods, tenant, periods],
    ],
  )
  return markOpen(tx, tenant, periods, first)
}

/** Holds nothing while a month is still to be made: that comes first, or two would wait for each other in a circle. */
const ALL_OPEN = `and (select count(*) from metering.invoices
  where tenant = ? and period = any(?::text[]) and status = 'gathering') = cardinality(?::text[])`

/** In the order of all others who lock several months. */
async function markOpen(
  tx: Tx,
  tenant: string,
  periods: readonly string[],
  first: string,
  only = '',
): Promise<string[]> {
  const marked = await rows<{ period: string }>(
    tx,
    `with held as materialized (
       select period from metering.invoices
       where tenant = ? and period >= ? and status = 'gathering' ${only} order by period for update)
     update metering.invoices i set stale = true from held
     where i.tenant = ? and i.period = held.period and i.period = any(?::text[]) returning i.period`,
    [tenant, first, ...(only === '' ? [] : [tenant, periods, periods]), tenant, periods],
  )
  return marked.map(({ period }) => period)
}

/** What is due without any usage in the month: fees, least spends, and levels that are still held. */
const FIXED_FEE = `$ ? (exists(@.minimum_commitment) || exists(@.charges[*] ? (@.model == "flat"
  || exists(@.tiers[0].flat_amount) || exists(@.min_amount) || @.aggregation == "weighted_sum")))`

/**
 * A subscription changes every month since it began: open ones are rated again, issued ones become late, so that the
 * current month bills what they lack.
 */
export async function markSubscribed(
  tx: Tx,
  { tenant, partner, plan_id, starts_at }: { tenant: string; partner: string; plan_id: string; starts_at: Date },
  now: Date,
): Promise<void> {
  const oldest = oldestOpenMonth(now)
  const from = starts_at < oldest ? oldest : starts_at
  const periods = periodsBetween(from < now ? from : now, now)
  const fixed = await row(
    tx,
    'select 1 from metering.plans where partner = ? and id = ? and jsonb_path_exists(body, ?::jsonpath)',
    [partner, plan_id, FIXED_FEE],
  )
  const late = await rows(
    tx,
    `insert into metering.late_periods (tenant, period)
     select tenant, period from metering.invoices where tenant = ? and period = any(?::text[]) and status = 'issued'
     on conflict do nothing returning period`,
    [tenant, periods],
  )
  if (fixed) await markStale(tx, tenant, periods)
  else if (late.length > 0) await markStale(tx, tenant, [periodOf(now)], { first: periods[0] ?? '' })
  await execute(
    tx,
    "update metering.invoices set stale = true where tenant = ? and status = 'gathering' and period >= ?",
    [tenant, periods[0]],
  )
}

/** A month without usage still has its fixed fees: everybody who owes one in `period` gets an open invoice for it. */
export async function openForFixedFees(tx: Tx, period: string, start: Date, end: Date): Promise<void> {
  const missing = await rows<{ tenant: string }>(
    tx,
    `select distinct s.tenant from metering.subscriptions s
     join metering.plans p on p.partner = s.partner and (p.id = s.plan_id or p.first_version = s.plan_id)
     where p.effective_from < ? and s.starts_at < ? and (s.ends_at is null or s.ends_at > ?) and jsonb_path_exists(p.body, ?::jsonpath)
       and not exists (select 1 from metering.invoices i where i.tenant = s.tenant and i.period = ?)
     order by s.tenant`,
    [end, end, start, FIXED_FEE, period],
  )
  const tenants = missing.map(({ tenant }) => tenant)
  await execute(
    tx,
    `insert into metering.invoices (tenant, id, period, status, currency, stale)
     select t, i::uuid, ?, 'gathering',
       (select currency from metering.subscriptions s where s.tenant = t order by starts_at limit 1), true
     from unnest(?::text[], ?::text[]) as n (t, i) on conflict do nothing`,
    [period, tenants, tenants.map((tenant) => invoiceId(tenant, period))],
  )
}

/** Usage is accepted for 95 days back, so no month before these three is opened any more. */
const MONTHS_BACK = 3
export const oldestOpenMonth = (now: Date): Date =>
  new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - MONTHS_BACK))

/** The months from the one of `from` to the one of `to`. */
export function periodsBetween(from: Date, to: Date): string[] {
  const periods: string[] = []
  for (let at = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth())); at <= to; ) {
    periods.push(periodOf(at))
    at = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1))
  }
  return periods
}
