import { defineEvent } from '../define-event.ts'
import { topics } from '../topics.ts'
import { PaymentOutcome, paymentSucceeded } from './payment.succeeded.ts'

/** The first attempt to collect an issued invoice failed; it may still be paid later. Told once for each invoice. */
export const paymentFailed = defineEvent({
  type: 'payment.failed',
  version: 1,
  topic: topics.billing,
  description: 'Collecting an issued invoice failed; it may still be paid later.',
  data: PaymentOutcome,
  key: (data) => data.tenant,
  example: paymentSucceeded.example,
})
