import { formatDecimal } from '../../../platform/decimal.ts'
import type { invoiceBody } from '../invoice.ts'
import { invoiceCsv } from '../invoice-csv.ts'
import { invoicePdf } from '../invoice-pdf.ts'
import { currencyDigits } from '../rating/currency.ts'
import type { CreditNote } from './credit-note.ts'

/** A credit note as PDF, in the layout of invoices; the same note gives the same bytes. */
export const notePdf = (note: CreditNote): Promise<Buffer> =>
  invoicePdf(asInvoice(note), `Credit note ${note.number} of invoice ${note.invoice.number}`)

/** The same as CSV. */
export const noteCsv = (note: CreditNote): string => invoiceCsv(asInvoice(note))

/** The bases of taxes are what was given back before tax of their partner, so a credit note does not state them. */
function asInvoice(note: CreditNote): ReturnType<typeof invoiceBody> {
  const { id, number, tenant, currency, subtotal, tax, total, invoice, issued_at } = note
  return {
    ...{ id, number, tenant, period: invoice.period, status: 'issued' as const, currency, subtotal, tax, total },
    lines: note.lines.map(({ line_id, description, amount }) => ({
      id: line_id ?? id,
      kind: 'adjustment' as const,
      ...{ description, amount, period: invoice.period, partner: '' },
    })),
    taxes: note.taxes.map((one) => ({ ...one, base: note.subtotal })),
    credits_applied: formatDecimal(0n, currencyDigits(currency)),
    amount_due: total,
    unpriced: [],
    quarantined: [],
    as_of: issued_at,
  }
}
