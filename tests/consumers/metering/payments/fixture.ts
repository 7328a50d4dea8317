import type { PaymentDeps } from '../../../../consumers/metering/payments/deps.ts'
import { paymentRoutes } from '../../../../consumers/metering/payments/payment-routes.ts'
import { sendInvoices } from '../../../../consumers/metering/payments/send-invoices.ts'
import { openStripe } from '../../../../consumers/metering/payments/stripe.ts'
import { type FakeStripe, startFakeStripe } from '../../../support/fake-stripe.ts'
import { startService } from '../../../support/service.ts'
import { openBilling, perUnit } from '../fixture.ts'

export type SendRow = {
  tenant: string
  state: string
  step: string
  attempts: number
  last_error: string | null
  external_id: string | null
  rounding: string
  would_send: { items: { amount: string }[] } | null
}
export const SECRETS = ['whsec_new', 'whsec_old']

/** Billing with issued invoices of acme (1.80) and globex (3.00) for 2026-10, and a Stripe of our own to send them to. */
export async function openPayments() {
  const billing = await openBilling('2026-10-20T10:00:00Z')
  const fake: FakeStripe = await startFakeStripe()
  const plan = perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] })
  await billing.sell('restart-workers', plan, ['acme', 'globex'])
  const used = (id: string, quantity: string) => ({
    id,
    meter: 'runs',
    quantity,
    time: '2026-10-20T09:00:00Z',
    package: 'restart-workers',
  })
  await billing.report([used('a', '3')])
  await billing.report([used('g', '5')], billing.tokens.globex)
  await billing.counted()
  billing.clock.set('2026-11-01T01:00:00Z')
  await billing.issueDue()
  const deps: PaymentDeps = {
    db: billing.deps.db,
    allTenants: billing.deps.allTenants,
    wake: billing.deps.wake,
    log: billing.deps.log,
    now: billing.clock,
    random: () => 0,
    gateway: openStripe(fake.secretKey, fake.url),
    webhookSecrets: SECRETS,
    daysUntilDue: 30,
    leads: () => true,
  }
  const service = await startService(paymentRoutes(deps), billing.organisations.authenticate)
  return {
    billing,
    fake,
    deps,
    service,
    send: (more: Partial<PaymentDeps> = {}) => sendInvoices({ ...deps, ...more }),
    sends: () =>
      billing.owner<SendRow>(
        `select tenant, state, step, attempts, last_error, external_id, trim_scale(rounding)::text as rounding, would_send
         from metering.payment_sends order by tenant`,
      ),
    async close() {
      await service.close()
      await billing.close()
      await fake.close()
    },
  }
}
export type Payments = Awaited<ReturnType<typeof openPayments>>
