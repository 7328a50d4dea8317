import { rows, type Tx } from '../../../platform/db.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import type { InvoiceLine } from '../rating/line.ts'
import { chargesOf, isBilledOn } from './billed-usage.ts'
import type { Contribution } from './contribution.ts'

/** `rebilled`: taken back whole, so that a later invoice bills the same anew. */
type IssuedInvoice = { id: string; number: string; sha256: string; body: Buffer; rebilled: boolean }
type Counted = Contribution & { after_invoice: string | null }
/** A line of an issued invoice that billed a contribution. */
export type BillingLine = { invoice: IssuedInvoice; line: InvoiceLine; contribution: Contribution }

/**
 * The lines that billed contributions of a tenant, oldest invoice first: those of the first invoice after them, and
 * later lines that corrected these. Only what the caller may see: none for who only reported the usage.
 */
export async function billedBy(tx: Tx, tenant: string, contributions: readonly Counted[]): Promise<BillingLine[]> {
  const periods = contributions.map(({ hour }) => periodOf(new Date(hour))).sort()
  if (periods[0] === undefined) return []
  const invoices = await rows<IssuedInvoice>(
    tx,
    `select id, number, sha256, body, exists (select 1 from metering.invoice_life l
         where l.tenant = i.tenant and l.invoice_id = i.id and l.rebilled) as rebilled
     from metering.invoices i
     where tenant = ? and period >= ? and number is not null and body is not null order by length(number), number`,
    [tenant, periods[0]],
  )
  const rooted = invoices.map((invoice) => ({
    invoice,
    lines: (JSON.parse(invoice.body.toString('utf8')) as { lines: InvoiceLine[] }).lines.filter(
      ({ usage_root }) => usage_root !== undefined,
    ),
  }))
  const chargeOf = await chargesOf(
    tx,
    rooted.flatMap(({ lines }) => lines),
  )
  const billing: BillingLine[] = []
  for (const { invoice, lines } of rooted) {
    const counted = contributions.filter(({ after_invoice }) => isBefore(after_invoice, invoice.number))
    for (const line of lines) {
      const charge = chargeOf(line)
      const billed = { line, packages: line.usage_packages ?? [], leftOut: line.usage_left_out ?? [] }
      if (charge)
        for (const contribution of counted)
          if (isBilledOn(billed, charge, contribution)) billing.push({ invoice, line, contribution })
    }
  }
  return billing
}

const isBefore = (after: string | null, number: string): boolean =>
  after === null || after.length < number.length || (after.length === number.length && after < number)
