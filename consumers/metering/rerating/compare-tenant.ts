import { row, rows, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { periodBounds } from '../../../platform/utc-time.ts'
import { loadBooked } from '../load-late-periods.ts'
import { loadPeriod } from '../load-period.ts'
import { currencyOf } from '../load-subscriptions.ts'
import { currencyDigits } from '../rating/currency.ts'
import { linesOf } from '../rating/delta.ts'
import { type RatedPeriod, ratePeriod } from '../rating/rate-period.ts'
import { type Compared, compareLines, type Side } from './compare-lines.ts'
import { RERATING_SCHEMA, type Rerating, underPlan } from './rerating.ts'

type Counted = { quantity: string; records: number; change: string } | null
type DifferingHour = { hour: string; meter: string; package: string | null; log: Counted; counted: Counted }
type Why = { code: string; detail: string; amount?: string }
export type TenantResult = {
  tenant: string
  currency: string
  compared_with: 'invoiced' | 'counted'
  invoice: { id: string; number: string | null; status: string; issued_at: string | null } | null
  hours: DifferingHour[]
  differing_hours: number
  why: Why[]
} & Compared
type InvoiceRow = { id: string; number: string | null; status: string; issued_at: Date | null; late: boolean }

const HOURS_SHOWN = 100

/**
 * A tenant's month from the log against its invoice, in the snapshot of the transaction: the log must be counted as far
 * as that snapshot goes. What issued invoices booked for the month is compared, on whichever of them it is, and as long
 * as late usage waits for the next one, what that will book too. With `as_of`, what is quarantined is as it was then. Null: another plan is asked for that does not concern
 * the tenant.
 */
export async function compareTenant(
  tx: Tx,
  rerating: Rerating,
  tenant: string,
  at: Date,
): Promise<TenantResult | null> {
  const { period, as_of: asOf, other_plan: other } = rerating
  const plans = other ? [other.plan] : []
  const currency = await currencyOf(tx, tenant)
  const usage = await loadPeriod(tx, tenant, period, { schema: RERATING_SCHEMA, plans, asOf })
  if (other && !concerns(usage.subscriptions, currency, other)) return null
  const digits = currencyDigits(currency)
  const context = { tenant, digits, final: at >= periodBounds(period).end }
  const side = (rated: RatedPeriod): Side => ({
    lines: linesOf(rated, digits),
    tax: rated.taxes.reduce((sum, { amount }) => sum + amount, 0n),
  })
  const log = side(ratePeriod(underPlan(usage, other), context))
  const counted = side(ratePeriod(await loadPeriod(tx, tenant, period, { asOf }), context))
  const invoice = await invoiceOf(tx, tenant, period, asOf)
  const booked = invoice?.issued_at ? await bookedSide(tx, tenant, period, asOf) : null
  // With `as_of` the invoices of that time stand alone, without what was still to come.
  const pending = booked !== null && asOf === null && invoice?.late === true
  const against = booked === null || pending ? counted : booked
  const compared = compareLines(log, against, counted.lines, digits)
  const { hours, differing_hours } = await differingHours(tx, tenant, period)
  const why: Why[] = []
  if (booked && pending) {
    const { totals } = compareLines(counted, booked, counted.lines, digits)
    const detail = 'late usage that the next invoice bills is part of what is compared'
    why.push({ code: 'late_usage_pending', detail, amount: totals.difference })
  } else if (booked && !asOf && compareLines(counted, booked, counted.lines, digits).differing > 0)
    why.push({
      code: 'counted_changed_since_issue',
      detail: 'what is stored now comes to something else than was issued, and no late usage says why',
    })
  if (asOf && booked === null && invoice)
    why.push({
      code: 'not_issued_by_then',
      detail: 'no invoice was issued by `as_of`; compared with what is counted now',
    })
  if (differing_hours > 0)
    why.push({ code: 'hours_differ', detail: `${differing_hours} stored hour(s) are not what the log says` })
  if (compared.differing > 0 && differing_hours === 0 && (await keptLater(tx, tenant, period)))
    why.push({
      code: 'dimensions_kept_later',
      detail: 'a price names dimensions or values that were not kept when the usage was counted',
    })
  if (rerating.covers?.complete === false)
    why.push({ code: 'log_incomplete', detail: 'the log no longer reaches back to the beginning of the month' })
  if (other) why.push({ code: 'other_plan', detail: `the log is priced by ${other.id}` })
  return {
    tenant,
    currency,
    compared_with: against === counted ? 'counted' : 'invoiced',
    invoice: invoice
      ? {
          id: invoice.id,
          number: invoice.number,
          status: invoice.status,
          issued_at: invoice.issued_at?.toISOString() ?? null,
        }
      : null,
    ...compared,
    hours,
    differing_hours,
    why,
  }
}

const concerns = (
  subscriptions: readonly { partner: string }[],
  currency: string,
  { partner, plan }: NonNullable<Rerating['other_plan']>,
): boolean => plan.currency === currency && subscriptions.some((one) => partner === null || one.partner === partner)

const invoiceOf = (tx: Tx, tenant: string, period: string, asOf: Date | null) =>
  row<InvoiceRow>(
    tx,
    `select id, number, status, case when ?::timestamptz is null or issued_at <= ? then issued_at end as issued_at,
       exists (select 1 from metering.late_periods l where l.tenant = i.tenant and l.period = i.period) as late
     from metering.invoices i where tenant = ? and period = ?`,
    [asOf, asOf, tenant, period],
  )

async function bookedSide(tx: Tx, tenant: string, period: string, asOf: Date | null): Promise<Side> {
  const { lines, taxes } = await loadBooked(tx, tenant, period, asOf)
  return { lines: [...lines.values()], tax: taxes.reduce((sum, { amount }) => sum + decimal(amount), 0n) }
}

/** Whether the log shows usage under dimensions, or single values and events, that are not stored. */
async function keptLater(tx: Tx, tenant: string, period: string): Promise<boolean> {
  const { start, end } = periodBounds(period)
  const missing = (table: string, time: string, key: string) =>
    `exists (select 1 from ${RERATING_SCHEMA}.${table} s where tenant = ? and ${time} >= ? and ${time} < ? and not exists (
       select 1 from metering.${table} l where l.tenant = s.tenant and l.${time} = s.${time} and ${key}))`
  const same = 'l.meter = s.meter and l.package = s.package and l.dimensions_key = s.dimensions_key'
  const found = await row<{ missing: boolean }>(
    tx,
    `select ${missing('rollups', 'hour', same)}
       or ${missing('distinct_values', 'day', `${same} and l.value_of = s.value_of and l.value_key = s.value_key`)}
       or ${missing('priced_events', 'at', 'l.record_key = s.record_key')} as missing`,
    [tenant, start, end, tenant, start, end, tenant, start, end],
  )
  return found?.missing ?? false
}

/** Hours of the month that were counted otherwise than the log says, over all dimensions; the first hundred of them. */
async function differingHours(tx: Tx, tenant: string, period: string) {
  const { start, end } = periodBounds(period)
  const sums = (schema: string) =>
    `select hour, meter, package, sum(quantity) as quantity, sum(records) as records, sum(change) as change
     from ${schema}.rollups where tenant = ? and hour >= ? and hour < ? group by hour, meter, package`
  type Found = {
    hour: Date
    meter: string
    package: string
    lq: string | null
    ln: number
    lc: string
    cq: string | null
    cn: number
    cc: string
    n: number
  }
  const found = await rows<Found>(
    tx,
    `select hour, meter, package, l.quantity::text as lq, l.records::float8 as ln, l.change::text as lc,
       c.quantity::text as cq, c.records::float8 as cn, c.change::text as cc, (count(*) over ())::int as n
     from (${sums(RERATING_SCHEMA)}) l full join (${sums('metering')}) c using (hour, meter, package)
     where l.quantity is distinct from c.quantity or l.records is distinct from c.records
       or l.change is distinct from c.change
     order by hour, meter, package limit ${HOURS_SHOWN}`,
    [tenant, start, end, tenant, start, end],
  )
  const told = (quantity: string | null, records: number, change: string): Counted =>
    quantity === null
      ? null
      : { quantity: formatDecimal(decimal(quantity)), records, change: formatDecimal(decimal(change)) }
  const hours = found.map(
    (one): DifferingHour => ({
      hour: one.hour.toISOString(),
      meter: one.meter,
      package: one.package || null,
      log: told(one.lq, one.ln, one.lc),
      counted: told(one.cq, one.cn, one.cc),
    }),
  )
  return { hours, differing_hours: found[0]?.n ?? 0 }
}
