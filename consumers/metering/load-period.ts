import { row, rows, type Tx } from '../../platform/db.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import type { InvoiceLine, LatePeriod, PeriodUsage, Subscription, UsageTotal } from './rating/rate-invoice.ts'

/** A tenant's usage and subscriptions of a month, as rating takes them. At most 744 rows a meter, however many events. */
export async function loadPeriod(tx: Tx, tenant: string, period: string): Promise<PeriodUsage> {
  const { start, end } = periodBounds(period)
  const usage = await rows<UsageTotal>(
    tx,
    `select meter, package, trim_scale(sum(quantity))::text as quantity from metering.rollups
     where tenant = ? and hour >= ? and hour < ? group by meter, package order by meter, package`,
    [tenant, start, end],
  )
  const subscriptions = await rows<Subscription>(
    tx,
    `select s.id, s.partner, s.package, p.body as plan
     from metering.subscriptions s join metering.plans p on p.partner = s.partner and p.id = s.plan_id
     where s.tenant = ? and s.starts_at < ? and (s.ends_at is null or s.ends_at > ?) and p.effective_from < ?
     order by s.starts_at, s.id`,
    [tenant, end, start, end],
  )
  return { period, subscriptions, usage }
}

/**
 * Issued months with later usage that the invoice of `period` bills, and what every issued invoice so far has billed
 * for them. The first open month after a late one bills it: a month that has ended is still open while it collects,
 * and what is late must be on exactly one invoice.
 */
export async function loadLatePeriods(tx: Tx, tenant: string, period: string): Promise<LatePeriod[]> {
  const late = await rows<{ period: string }>(
    tx,
    `select l.period from metering.late_periods l where l.tenant = ? and l.period < ? and not exists (
       select 1 from metering.invoices i
       where i.tenant = l.tenant and i.status = 'gathering' and i.period > l.period and i.period < ?)
     order by l.period`,
    [tenant, period, period],
  )
  if (late.length === 0) return []
  const issued = await rows<{ body: Buffer }>(
    tx,
    "select body from metering.invoices where tenant = ? and status = 'issued' and period >= ?",
    [tenant, (late[0] as { period: string }).period],
  )
  const lines = issued.flatMap(({ body }) => (JSON.parse(body.toString('utf8')) as { lines: InvoiceLine[] }).lines)
  const periods: LatePeriod[] = []
  for (const { period: month } of late)
    periods.push({ ...(await loadPeriod(tx, tenant, month)), billed: await billedByLine(tx, lines, month) })
  return periods
}

/** Sums in SQL, where decimals are exact. */
async function billedByLine(tx: Tx, lines: readonly InvoiceLine[], period: string): Promise<Map<string, string>> {
  const own = lines.filter((line) => line.period === period)
  const summed = await rows<{ id: string; amount: string }>(
    tx,
    'select id, sum(amount)::text as amount from unnest(?::text[], ?::numeric[]) as l (id, amount) group by id',
    [own.map(({ id }) => id), own.map(({ amount }) => amount)],
  )
  return new Map(summed.map(({ id, amount }) => [id, amount]))
}

/** The one currency of a tenant: of its subscriptions, US dollars before it has any. */
export async function currencyOf(tx: Tx, tenant: string): Promise<string> {
  const found = await row<{ currency: string }>(
    tx,
    'select currency from metering.subscriptions where tenant = ? order by starts_at limit 1',
    [tenant],
  )
  return found?.currency ?? 'USD'
}
