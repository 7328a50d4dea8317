import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { PaymentDeps } from './deps.ts'
import { paymentError } from './errors.ts'
import { GatewayError, type MeterNotice, type PaymentFact } from './gateway.ts'
import { storeMeterErrors } from './meter-errors.ts'
import { applyPaymentFact } from './payment-facts.ts'
import { readStripeWebhook } from './stripe.ts'

/** Where Stripe tells what became of an invoice, and of usage told to its meters. What is not of concern is answered 200, or Stripe would repeat it. */
export function webhookRoute(deps: PaymentDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const told = readTold(deps, call)
    return { status: 200, body: { received: true, applied: await apply(told) } }
  }

  async function apply(told: ReturnType<typeof readTold>): Promise<boolean> {
    if (told === null) return false
    if (!('about' in told)) return applyPaymentFact(deps, told)
    // Without a key nothing was told to a meter from here.
    if (deps.gateway === null) return false
    const found = await deps.gateway.meterErrors(told.id).catch((error: unknown) => {
      if (!(error instanceof GatewayError)) throw error
      throw paymentError('webhook_event_unavailable', `the event could not be asked for: ${error.code}`)
    })
    const applied = await storeMeterErrors(deps.allTenants, told.id, found, deps.now())
    if (applied) deps.log.error('Stripe refused usage after it had taken it', { event: told.id, errors: found.errors })
    return applied
  }

  return {
    method: 'POST',
    path: '/billing/webhooks/stripe',
    summary: 'What Stripe says of invoices and meters',
    access: { signedBody: true },
    handle,
  }
}

function readTold({ webhookSecrets, now }: PaymentDeps, call: Call): PaymentFact | MeterNotice | null {
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
