import { row, rows, type Tx } from '../../platform/db.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { billableDays, billableEvents, billableHours, LEVEL_STEPS } from './quarantine/billable.ts'
import { hasQuarantined, loadQuarantined } from './quarantine/quarantined-usage.ts'
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
  type UsageTotal,
  windowsOf,
} from './rating/usage.ts'

/** `whole`: nothing of the tenant's is quarantined, so that no row has to be looked at for it. */
type Span = {
  schema: string
  tenant: string
  start: Date
  end: Date
  starts: readonly Date[]
  ends: readonly Date[]
  whole: boolean
}
/** `schema`: whose tables hold the usage. `plans`: prices beside the tenant's own that are to find what they need. */
export type Loading = { schema?: string; plans?: readonly Plan[] }

/**
 * A tenant's usage and subscriptions of a month, as rating takes them. At most 744 rows a meter and combination of the
 * dimensions that plans name, however many events.
 */
export async function loadPeriod(
  tx: Tx,
  tenant: string,
  period: string,
  { schema = 'metering', plans = [] }: Loading = {},
): Promise<PeriodUsage> {
  const { start, end } = periodBounds(period)
  const subscriptions = await loadSubscriptions(tx, tenant, start, end)
  const windows = windowsOf(start, end, subscriptions)
  const whole = !(await hasQuarantined(tx, tenant))
  const [starts, ends] = [windows.map(({ from }) => from), windows.map(({ to }) => to)]
  const span = { schema, tenant, start, end, starts, ends, whole }
  const own = subscriptions.flatMap(({ versions }) => versions.map(({ plan }) => plan))
  const charges = [...own, ...plans].flatMap(metered)
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
    totals: await loadTotals(
      tx,
      span,
      metersOf(({ aggregation }) => aggregation === 'latest'),
      weighted,
    ),
    levels: weighted.length === 0 ? [] : await loadLevels(tx, span, weighted),
    distinct: unique.length === 0 ? [] : await loadDistinct(tx, span, unique),
    events: single.length === 0 ? [] : await loadEvents(tx, span, single),
    quarantined: whole ? [] : await loadQuarantined(tx, tenant, start, end),
  }
}

/** Plans a tenant is subscribed to in a span, each with its versions up to the end of it. */
export async function loadSubscriptions(tx: Tx, tenant: string, start: Date, end: Date): Promise<Subscription[]> {
  type Row = Omit<Subscription, 'versions'> & { versions: { id: string; effective_from: string; plan: Plan }[] }
  const found = await rows<Row>(
    tx,
    `select s.id, s.partner, s.package, s.starts_at, s.ends_at,
       (select jsonb_agg(jsonb_build_object('id', v.id, 'effective_from', v.effective_from, 'plan', v.body)
                         order by v.effective_from, v.id)
        from metering.plans v
        where v.partner = s.partner and (v.id = s.plan_id or v.first_version = s.plan_id) and v.effective_from < ?) as versions
     from metering.subscriptions s join metering.plans p on p.partner = s.partner and p.id = s.plan_id
     where s.tenant = ? and s.starts_at < ? and (s.ends_at is null or s.ends_at > ?) and p.effective_from < ?
     order by s.starts_at, s.id`,
    [end, tenant, end, start, end],
  )
  return found.map((one) => ({
    ...one,
    versions: one.versions.map((version) => ({ ...version, effective_from: new Date(version.effective_from) })),
  }))
}

/** `latest` is looked for only where a charge asks for it: it costs a sort. */
const loadTotals = (
  tx: Tx,
  { schema, tenant, start, end, starts, ends, whole }: Span,
  latestOf: readonly string[],
  weighted: readonly string[],
) => {
  const steps = !whole && weighted.length > 0
  return rows<UsageTotal>(
    tx,
    `select w - 1 as window, meter, package, dimensions, trim_scale(sum(quantity))::text as quantity,
       sum(records)::int8::float8 as records, trim_scale(max(maximum))::text as maximum,
       (array_agg(jsonb_build_object('at', latest_at, 'id', latest_key, 'quantity', latest::text)
          order by latest_at desc, latest_key desc)
          filter (where latest_at is not null and meter = any(?::text[])))[1] as latest,
       trim_scale(sum(change))::text as change,
       trim_scale(sum(change_ms + change * (extract(epoch from (?::timestamptz[])[w] - hour) * 1000 - 3600000)))::text
         as change_ms
     from (select *, width_bucket(hour, ?::timestamptz[]) as w from (
             select hour, meter, package, dimensions, quantity, records, maximum, latest, latest_at, latest_key, change,
               change_ms from ${schema}.rollups u where tenant = ? and ${whole || billableHours('u')}
             ${steps ? `union all ${STEPS}` : ''}) h
           where hour >= ? and hour < ?) r
     group by w, meter, package, dimensions order by w, meter, package, dimensions`,
    [latestOf, ends, starts, tenant, ...(steps ? [tenant, weighted] : []), start, end],
  )
}

/** Steps of a level as rows of hours: nothing is used by them. */
const STEPS = `select hour, meter, package, dimensions, 0, 0, null, null, null, null, change, change * 3600000
  from (${LEVEL_STEPS}) s`

/** Levels are of all that was ever counted, which no log holds: always from the live tables. */
const loadLevels = (tx: Tx, { tenant, start, whole }: Span, meters: readonly string[]) =>
  rows<OpeningLevel>(
    tx,
    `select meter, package, dimensions, trim_scale(sum(change))::text as level from (
       select hour, meter, package, dimensions, change from metering.rollups r
       where tenant = ? and meter = any(?::text[]) and ${whole || billableHours('r')}
       ${whole ? '' : `union all ${LEVEL_STEPS}`}) h
     where hour < ? group by meter, package, dimensions`,
    [tenant, meters, ...(whole ? [] : [tenant, meters]), start],
  )

const loadDistinct = (tx: Tx, { schema, tenant, start, end, starts, whole }: Span, meters: readonly string[]) =>
  rows<DistinctValues>(
    tx,
    `select width_bucket(day::timestamptz, ?::timestamptz[]) - 1 as window, meter, package, dimensions, value_of as of,
       array_agg(distinct encode(value_key, 'hex')) as values
     from ${schema}.distinct_values d
     where tenant = ? and day >= ?::timestamptz::date and day < ?::timestamptz::date and meter = any(?::text[])
       and ${whole || billableDays('d')}
     group by 1, 2, 3, 4, 5`,
    [starts, tenant, start, end, meters],
  )

const loadEvents = (tx: Tx, { schema, tenant, start, end, starts, whole }: Span, meters: readonly string[]) =>
  rows<UsageEvent>(
    tx,
    `select width_bucket(at, ?::timestamptz[]) - 1 as window, meter, package, dimensions,
       to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, encode(record_key, 'hex') as id,
       quantity::text from ${schema}.priced_events e
     where tenant = ? and at >= ? and at < ? and meter = any(?::text[]) and ${whole || billableEvents('e')} order by at, record_key`,
    [starts, tenant, start, end, meters],
  )

const metered = (plan: Plan): MeteredCharge[] =>
  plan.charges.flatMap((charge) => (charge.model === 'flat' ? [] : [charge]))

/**
 * Issued months with later usage that the invoice of `period` bills, and what every issued invoice so far has booked
 * for them, but those that were taken back to be billed anew. The first open month after a late one bills it: a month that has ended is still open while it collects,
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
  const issued = await issuedSince(tx, tenant, (late[0] as { period: string }).period, null)
  const periods: LatePeriod[] = []
  for (const { period: month } of late)
    periods.push({ usage: await loadPeriod(tx, tenant, month), booked: bookedFor(month, issued) })
  return periods
}

/** What issued invoices have booked for a month, those issued after `asOf` left out; null asks for all. */
export const loadBooked = async (tx: Tx, tenant: string, period: string, asOf: Date | null): Promise<Booked> =>
  bookedFor(period, await issuedSince(tx, tenant, period, asOf))

const issuedSince = (tx: Tx, tenant: string, period: string, asOf: Date | null) =>
  rows<{ period: string; body: Buffer }>(
    tx,
    `select period, body from metering.invoices i
     where tenant = ? and status = 'issued' and period >= ? and (?::timestamptz is null or issued_at <= ?)
       and not exists (select 1 from metering.invoice_life l
                       where l.tenant = i.tenant and l.invoice_id = i.id and l.rebilled)
     order by issued_at, period`,
    [tenant, period, asOf, asOf],
  )

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
