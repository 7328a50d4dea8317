import { rows, type Tx } from '../../platform/db.ts'
import { loadPeriod } from './load-period.ts'
import { type Booked, bookedBy, type TaxLine } from './rating/delta.ts'
import type { InvoiceLine } from './rating/line.ts'
import type { LatePeriod } from './rating/rate-invoice.ts'

/**
 * Issued months with later usage that the invoice of `period` bills, and what every issued invoice so far has booked
 * for them, but those that were taken back to be billed anew. The first open month after a late one bills it: a month
 * that has ended is still open while it collects, and what is late must be on exactly one invoice.
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
