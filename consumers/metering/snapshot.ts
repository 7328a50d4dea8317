import type { Static } from '@sinclair/typebox'
import type { InvoiceSnapshot } from '../../schemas/events/invoice.updated.ts'
import { creditTexts } from './credits/pay-invoice.ts'
import type { LiveInvoice } from './invoice.ts'

/** What the events about an invoice carry: the whole state, so that a consumer replaces what it had. */
export function snapshotOf(
  tenant: string,
  period: string,
  status: 'gathering' | 'issued',
  { id, rated, payments }: LiveInvoice,
  asOf: Date,
): Static<typeof InvoiceSnapshot> {
  const { credits_applied, amount_due } = creditTexts(rated, payments)
  const { currency, subtotal, tax, total, shares, usage } = rated
  return {
    invoice_id: id,
    tenant,
    period,
    status,
    currency,
    subtotal,
    tax,
    total,
    ...(payments.length === 0 ? {} : { credits_applied, amount_due }),
    shares,
    usage,
    as_of: asOf.toISOString(),
  }
}
