import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, DecimalText, OrgId, Period, UtcTime, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'

export const InvoiceStatus = Type.Union([Type.Literal('gathering'), Type.Literal('issued')])

/** One partner's part of an invoice: gross (what the tenant pays) = partner_share + platform_fee + tax. */
export const InvoiceShare = closed({
  partner: OrgId,
  gross: DecimalText,
  partner_share: DecimalText,
  platform_fee: DecimalText,
  tax: DecimalText,
})

/** The whole state of one tenant's month: consumers replace what they had, so order and repeats are harmless. */
export const InvoiceSnapshot = closed({
  invoice_id: Uuid,
  tenant: OrgId,
  period: Period,
  status: InvoiceStatus,
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  subtotal: DecimalText,
  tax: DecimalText,
  total: DecimalText,
  /** Where prepaid credits pay some of the total: how much, and what is left to pay. Without them all of it is. */
  credits_applied: Type.Optional(DecimalText),
  amount_due: Type.Optional(DecimalText),
  shares: Type.Array(InvoiceShare),
  usage: Type.Array(
    closed({
      meter: Type.String(),
      package: Type.Union([Type.String(), Type.Null()]),
      quantity: DecimalText,
      amount: Type.Union([DecimalText, Type.Null()]),
    }),
  ),
  as_of: UtcTime,
})

const example = {
  invoice_id: '0192f6a0-0000-7000-8000-000000000003',
  tenant: 'acme',
  period: '2026-11',
  status: 'gathering' as const,
  currency: 'USD',
  subtotal: '1.50',
  tax: '0.00',
  total: '1.50',
  shares: [{ partner: 'demo', gross: '1.50', partner_share: '1.20', platform_fee: '0.30', tax: '0.00' }],
  usage: [{ meter: 'workflow_runs', package: 'restart-workers', quantity: '3', amount: '1.50' }],
  as_of: '2026-11-02T10:00:01.000Z',
}

/** Metering re-rated a tenant's open month after new usage. */
export const invoiceUpdated = defineEvent({
  type: 'invoice.updated',
  version: 1,
  topic: topics.billing,
  description: "A tenant's open month was rated again; carries the whole new state.",
  data: InvoiceSnapshot,
  key: (data) => data.tenant,
  example,
})
