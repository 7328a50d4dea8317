import { Type } from '@sinclair/typebox'
import { defineEvent } from '../define-event.ts'
import { closed, DecimalText, OrgId, Period, UtcTime, Uuid } from '../envelope.ts'
import { topics } from '../topics.ts'

/** What a payment provider said of an issued invoice. `amount` is what was asked for, in the invoice's currency. */
export const PaymentOutcome = closed({
  invoice_id: Uuid,
  number: Type.String(),
  tenant: OrgId,
  period: Period,
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  amount: DecimalText,
  sink: Type.String(),
  occurred_at: UtcTime,
})

/** An issued invoice was paid. Told once for each invoice. */
export const paymentSucceeded = defineEvent({
  type: 'payment.succeeded',
  version: 1,
  topic: topics.billing,
  description: 'An issued invoice was paid.',
  data: PaymentOutcome,
  key: (data) => data.tenant,
  example: {
    invoice_id: '0192f6a0-0000-7000-8000-000000000003',
    number: 'ATOM-000001',
    tenant: 'acme',
    period: '2026-11',
    currency: 'USD',
    amount: '1.50',
    sink: 'stripe',
    occurred_at: '2026-12-02T10:00:00.000Z',
  },
})
