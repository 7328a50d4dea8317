import { defineErrors } from '../../../platform/errors.ts'

export const paymentError = defineErrors({
  payments_dry_run: { status: 409, title: 'Payments run dry' },
  payment_not_retriable: { status: 409, title: 'There is nothing to send again' },
  aws_dimension_taken: { status: 409, title: 'One dimension takes one meter' },
  stripe_meter_overlap: { status: 409, title: 'This usage is billed elsewhere already' },
  webhook_unconfigured: { status: 503, title: 'No secret to check webhooks with' },
  webhook_signature_invalid: { status: 400, title: 'No current secret has signed this' },
  webhook_event_unavailable: { status: 503, title: 'Stripe did not hand out the event it told of' },
  webhook_unreadable: { status: 400, title: 'The event cannot be read' },
})
