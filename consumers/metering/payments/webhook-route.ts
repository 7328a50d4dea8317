import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { PaymentDeps } from './deps.ts'
import { paymentError } from './errors.ts'
import { GatewayError, type PaymentFact } from './gateway.ts'
import { applyPaymentFact } from './payment-facts.ts'
import { readStripeWebhook } from './stripe.ts'

/** Where Stripe tells what became of an invoice. What is not of concern is answered 200, or Stripe would repeat it. */
export function webhookRoute(deps: PaymentDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const fact = readFact(deps, call)
    const applied = fact === null ? false : await applyPaymentFact(deps, fact)
    return { status: 200, body: { received: true, applied } }
  }

  return {
    method: 'POST',
    path: '/billing/webhooks/stripe',
    summary: 'What Stripe says of invoices',
    access: { signedBody: true },
    handle,
  }
}

function readFact({ webhookSecrets, now }: PaymentDeps, call: Call): PaymentFact | null {
  if (webhookSecrets.length === 0)
    throw paymentError(
      'webhook_unconfigured',
      'STRIPE_WEBHOOK_SECRETS is not set, so nothing sent here can be believed',
    )
  try {
    return readStripeWebhook(call.bytes, call.header('stripe-signature') ?? '', webhookSecrets, now())
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    throw error.code === 'signature_invalid'
      ? paymentError('webhook_signature_invalid', 'the signature is missing, too old, or of none of the secrets')
      : paymentError('webhook_unreadable', 'signed, but not an event')
  }
}
