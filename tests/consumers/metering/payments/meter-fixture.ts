import type { PaymentDeps } from '../../../../consumers/metering/payments/deps.ts'
import { sendMeterEvents } from '../../../../consumers/metering/payments/send-meter-events.ts'
import { openStripe } from '../../../../consumers/metering/payments/stripe.ts'
import { stripeMeterRoutes } from '../../../../consumers/metering/payments/stripe-meter-routes.ts'
import { startFakeStripe } from '../../../support/fake-stripe.ts'
import { startService } from '../../../support/service.ts'
import { openBilling, type Problem, perUnit } from '../fixture.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
export const runs = { tenant: 'acme', package: 'restart-workers', meter: 'runs', event_name: 'runs' }
export type WindowRow = {
  tenant: string
  hour: Date
  at: Date
  value: string
  state: string
  attempts: number
  last_error: string | null
}

/** Billing of acme and globex at 10:30, and a Stripe of our own that goes by the same clock. */
export async function openStripeMeters() {
  const billing = await openBilling('2026-10-20T10:30:00Z')
  await billing.sell('restart-workers', perUnit('0.50'), ['acme', 'globex'])
  const fake = await startFakeStripe('sk_test_fake', billing.clock)
  const deps: PaymentDeps = {
    db: billing.deps.db,
    allTenants: billing.deps.allTenants,
    wake: billing.deps.wake,
    log: billing.deps.log,
    now: billing.clock,
    random: () => 0,
    // So short that a silent provider costs a test little.
    gateway: openStripe(fake.secretKey, fake.url, 500),
    webhookSecrets: [],
    daysUntilDue: 30,
    leads: () => true,
  }
  const service = await startService(stripeMeterRoutes(deps), billing.organisations.authenticate)
  let sequence = 0
  return {
    billing,
    fake,
    deps,
    service,
    map: (json: object = runs, as = billing.tokens.finance) =>
      service.call<Problem & { id: string; since: string; ends_at: string | null }>('POST', '/billing/stripe-meters', {
        as,
        json,
      }),
    async use(quantity: string, time: string, as = billing.tokens.acme, name: string | null = 'restart-workers') {
      sequence += 1
      const record = { id: `u-${sequence}`, meter: 'runs', quantity, time, ...(name ? { package: name } : {}) }
      await billing.report([record], as)
      await billing.counted()
    },
    send: (more: Partial<PaymentDeps> = {}) => sendMeterEvents({ ...deps, ...more }),
    windows: () =>
      billing.owner<WindowRow>(
        `select tenant, hour, at, value::text as value, state, attempts, last_error
         from metering.stripe_meter_windows order by hour, id`,
      ),
    async close() {
      await service.close()
      await billing.close()
      await fake.close()
    },
  }
}
export type StripeMeters = Awaited<ReturnType<typeof openStripeMeters>>
