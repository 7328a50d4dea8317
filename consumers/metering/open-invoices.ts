import { execute, row, rows, type Tx } from '../../platform/db.ts'
import { periodOf } from '../../platform/utc-time.ts'
import { invoiceId } from './invoice.ts'
import { currencyOf } from './load-subscriptions.ts'

type Holding = { first?: string; ifIssued?: string }

/**
 * Notes that months of a tenant, given in order, are to be rated again, making their open invoices where there are none.
 * Returns those that are open; the others are issued. All open months from `first` on are held until the transaction
 * ends: whoever has some of them may need those between. `ifIssued` is made as well where one before it is issued, because
 * that is where what is late is billed.
 */
export async function markStale(
  tx: Tx,
  tenant: string,
  periods: readonly string[],
  { first = periods[0] ?? '', ifIssued }: Holding = {},
): Promise<string[]> {
  const marked = await rows<{ period: string }>(
    tx,
    `with held as materialized (
       select period from metering.invoices
       where tenant = ? and period >= ? and status = 'gathering' and (
         select count(*) from metering.invoices
         where tenant = ? and period = any(?::text[]) and status = 'gathering') = cardinality(?::text[])
       order by period for update)
     update metering.invoices i set stale = true from held
     where i.tenant = ? and i.period = held.period and i.period = any(?::text[]) returning i.period`,
    [tenant, first, tenant, periods, periods, tenant, periods],
  )
  if (marked.length === periods.length) return periods.slice()
  return oneByOne(tx, tenant, periods, first, ifIssued)
}

/**
 * The same where some are missing or issued. Month after month, whether it is held or made: who made a later one first
 * and then waited for an earlier one would wait in a circle with who has that and waits to see the later one made.
 */
async function oneByOne(
  tx: Tx,
  tenant: string,
  periods: readonly string[],
  first: string,
  ifIssued: string | undefined,
): Promise<string[]> {
  const gathering = await rows<{ period: string }>(
    tx,
    "select period from metering.invoices where tenant = ? and period >= ? and status = 'gathering'",
    [tenant, first],
  )
  const currency = await currencyOf(tx, tenant)
  const known = [...gathering.map(({ period }) => period), ...periods, ...(ifIssued === undefined ? [] : [ifIssued])]
  const open: string[] = []
  for (const month of [...new Set(known)].sort()) {
    const isLate = periods.some((one) => one < month && !open.includes(one))
    const isWanted = periods.includes(month) || (month === ifIssued && isLate)
    // No index is named: whoever makes the same invoice at this moment is met at either of the two that forbid it.
    if (isWanted)
      await execute(
        tx,
        `insert into metering.invoices (tenant, id, period, status, currency, stale)
         values (?, ?, ?, 'gathering', ?, true) on conflict do nothing`,
        [tenant, invoiceId(tenant, month), month, currency],
      )
    const held = await row(
      tx,
      "select 1 from metering.invoices where tenant = ? and period = ? and status = 'gathering' for update",
      [tenant, month],
    )
    if (held && periods.includes(month)) open.push(month)
  }
  await execute(tx, 'update metering.invoices set stale = true where tenant = ? and period = any(?::text[])', [
    tenant,
    open,
  ])
  return open
}

/**
 * Open months after one are to be rated again. Months from there on are held, but one that was made since: that is stale
 * already, and waiting for it would be out of order.
 */
export const markAfter = (tx: Tx, tenant: string, period: string): Promise<number> =>
  execute(
    tx,
    `update metering.invoices i set stale = true
     from (select period from metering.invoices
           where tenant = ? and period > ? and status = 'gathering' and not stale order by period for update skip locked) o
     where i.tenant = ? and i.period = o.period`,
    [tenant, period, tenant],
  )

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
