import { collector, type UsageRecord } from '../../../../consumers/metering/rating/collect.ts'
import { bookedBy } from '../../../../consumers/metering/rating/delta.ts'
import { keptBy } from '../../../../consumers/metering/rating/kept.ts'
import type { InvoiceLine } from '../../../../consumers/metering/rating/line.ts'
import type { Plan } from '../../../../consumers/metering/rating/plan.ts'
import { type LatePeriod, type RatedInvoice, rateInvoice } from '../../../../consumers/metering/rating/rate-invoice.ts'
import { type PeriodUsage, type Subscription, windowsOf } from '../../../../consumers/metering/rating/usage.ts'
import { periodBounds } from '../../../../platform/utc-time.ts'

/** A subscription to a package under one price. */
export const subscriptionTo = (id: string, partner: string, of: string, plan: Plan): Subscription => ({
  id,
  partner,
  package: of,
  starts_at: null,
  ends_at: null,
  versions: [{ id: 'v1', effective_from: new Date(0), plan }],
})

/** A month of records, added up as counting does. */
export function monthOf(
  period: string,
  subscriptions: readonly Subscription[],
  records: readonly UsageRecord[],
): PeriodUsage {
  const { start: from, end: to } = periodBounds(period)
  const windows = windowsOf(from, to, subscriptions)
  const kept = keptBy(subscriptions.flatMap(({ versions }) => versions.map(({ plan }) => plan)))
  const { add, collected } = collector(windows, kept)
  for (const record of records) add(record)
  return { period, from, to, windows, subscriptions, ...collected() }
}

/** A month of [meter, package, quantity], all used in the middle of it. */
export const monthOfTotals = (
  period: string,
  subscriptions: readonly Subscription[],
  totals: readonly (readonly [meter: string, of: string, quantity: string])[],
): PeriodUsage =>
  monthOf(
    period,
    subscriptions,
    totals.map(([meter, of, quantity], n) => ({
      id: String(n),
      meter,
      package: of,
      quantity,
      time: `${period}-15T00:00:00Z`,
    })),
  )

/** A tenant's invoice once the month is over, 80 % of it the partner's unless said. */
export const invoiceOf = (
  usage: PeriodUsage,
  late: readonly LatePeriod[] = [],
  { tenant = 't', currency = 'USD', share = '80' } = {},
): RatedInvoice => rateInvoice(usage, late, { tenant, currency, shareOf: () => share, final: true })

/** What invoices, oldest first, have booked for a month. */
export function bookedFor(period: string, own: string, invoices: readonly { period: string; invoice: RatedInvoice }[]) {
  const lines: InvoiceLine[] = invoices.flatMap(({ invoice }) => invoice.lines.filter((line) => line.period === period))
  const taxes = invoices.flatMap(({ period: of, invoice }) => invoice.taxes.filter((tax) => (tax.period ?? of) === own))
  return bookedBy(lines, taxes)
}
