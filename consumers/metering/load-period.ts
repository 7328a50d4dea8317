import { row, rows, type Tx } from '../../platform/db.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { loadTotals } from './load-totals.ts'
import { type Booked, bookedBy, type TaxLine } from './rating/delta.ts'
import type { InvoiceLine } from './rating/line.ts'
import { needsEvents } from './rating/measure.ts'
import type { MeteredCharge, Plan } from './rating/plan.ts'
import type { LatePeriod } from './rating/rate-invoice.ts'
import {
  type DistinctValues,
  type OpeningLevel,
  type PeriodUsage,
  type Subscription,
  type UsageEvent,
  windowsOf,
} from './rating/usage.ts'

type Span = { tenant: string; start: Date; end: Date; starts: readonly Date[] }

/**
 * A tenant's usage and subscriptions of a month, as rating takes them. At most 744 rows a meter and combination of the
 * dimensions that plans name, however many events. `plans`: prices beside the tenant's own that it is to be rated under.
 */
export async function loadPeriod(
  tx: Tx,
  tenant: string,
  period: string,
  { plans = [] }: { plans?: readonly Plan[] } = {},
): Promise<PeriodUsage> {
  const { start, end } = periodBounds(period)
  const subscriptions = await loadSubscriptions(tx, tenant, start, end)
  const windows = windowsOf(start, end, subscriptions)
  const span = { tenant, start, end, starts: windows.map(({ from }) => from) }
  const charges = [...meteredCharges(subscriptions), ...plans.flatMap(metered)]
  const metersOf = (wanted: (charge: MeteredCharge) => boolean) => [
    ...new Set(charges.filter(wanted).map(({ meter }) => meter)),
  ]
  const weighted = metersOf(({ aggregation }) => aggregation === 'weighted_sum')
  const unique = metersOf(({ aggregation }) => aggregation === 'unique')
  const single = metersOf(needsEvents)
  return {
    period,
    from: start,
    to: end,
    windows,
    subscriptions,
    totals: await loadTotals(tx, { tenants: [tenant], windows }, charges),
    levels: weighted.length === 0 ? [] : await loadLevels(tx, span, weighted),
    distinct: unique.length === 0 ? [] : await loadDistinct(tx, span, unique),
    events: single.length === 0 ? [] : await loadEvents(tx, span, single),
  }
}

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

const loadLevels = (tx: Tx, { tenant, start }: Span, meters: readonly string[]) =>
  rows<OpeningLevel>(
    tx,
    `select meter, package, dimensions, trim_scale(sum(change))::text as level from metering.rollups
     where tenant = ? and hour < ? and meter = any(?::text[]) group by meter, package, dimensions`,
    [tenant, start, meters],
  )

const loadDistinct = (tx: Tx, { tenant, start, end, starts }: Span, meters: readonly string[]) =>
  rows<DistinctValues>(
    tx,
    `select width_bucket(day::timestamptz, ?::timestamptz[]) - 1 as window, meter, package, dimensions, value_of as of,
       array_agg(distinct encode(value_key, 'hex')) as values
     from metering.distinct_values
     where tenant = ? and day >= ?::timestamptz::date and day < ?::timestamptz::date and meter = any(?::text[])
     group by 1, 2, 3, 4, 5`,
    [starts, tenant, start, end, meters],
  )

const loadEvents = (tx: Tx, { tenant, start, end, starts }: Span, meters: readonly string[]) =>
  rows<UsageEvent>(
    tx,
    `select width_bucket(at, ?::timestamptz[]) - 1 as window, meter, package, dimensions,
       to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, encode(record_key, 'hex') as id,
       quantity::text from metering.priced_events
     where tenant = ? and at >= ? and at < ? and meter = any(?::text[]) order by at, record_key`,
    [starts, tenant, start, end, meters],
  )

export const meteredCharges = (subscriptions: readonly Subscription[]): MeteredCharge[] =>
  subscriptions.flatMap(({ versions }) => versions.flatMap(({ plan }) => metered(plan)))

const metered = (plan: Plan): MeteredCharge[] =>
  plan.charges.flatMap((charge) => (charge.model === 'flat' ? [] : [charge]))

/**
 * Issued months with later usage that the invoice of `period` bills, and what every issued invoice so far has booked
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
  const issued = await rows<{ period: string; body: Buffer }>(
    tx,
    `select period, body from metering.invoices where tenant = ? and status = 'issued' and period >= ?
     order by period`,
    [tenant, (late[0] as { period: string }).period],
  )
  const periods: LatePeriod[] = []
  for (const { period: month } of late)
    periods.push({ usage: await loadPeriod(tx, tenant, month), booked: bookedFor(month, issued) })
  return periods
}

function bookedFor(month: string, issued: readonly { period: string; body: Buffer }[]): Booked {
  const bodies = issued.map(({ period, body }) => ({
    period,
    ...(JSON.parse(body.toString('utf8')) as { lines: InvoiceLine[]; taxes: TaxLine[] }),
  }))
  return bookedBy(
    bodies.flatMap(({ lines }) => lines.filter((line) => line.period === month)),
    bodies.flatMap(({ period, taxes }) => taxes.filter((tax) => (tax.period ?? period) === month)),
  )
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
