import type { HealthCheck } from '../../../platform/http/health.ts'
import type { Metrics } from '../../../platform/metrics.ts'
import { modeOf, type PaymentDeps } from './deps.ts'
import { countWindows } from './meter-sends.ts'
import { countPaid } from './paid-sends.ts'
import { countSends } from './sends.ts'

/**
 * Says in `/health` whether payments are real, and how many sends are in which state. A failed send is no failure of
 * the service: it waits for finance, and the metric `atom_payment_sends` is what an alert watches.
 */
export const paymentsCheck = (deps: Pick<PaymentDeps, 'gateway' | 'allTenants'>): HealthCheck => ({
  name: 'payments',
  async run() {
    const counts = (await countSends(deps.allTenants)).map(({ state, n }) => `${n} ${state}`).join(', ')
    const mode = modeOf(deps)
    const what = mode === 'dry_run' ? 'dry_run, nothing is sent without STRIPE_KEY' : `${mode} key`
    const meters = (await countWindows(deps.allTenants)).map(({ state, n }) => `${n} ${state}`).join(', ')
    const told = meters && `; windows of usage for meters: ${meters}`
    return { status: 'ok', detail: `stripe: ${what}; ${counts || 'no invoices yet'}${told}` }
  },
})

/** Measures what the check counts. */
export function measurePayments(deps: Pick<PaymentDeps, 'allTenants'>, metrics: Metrics): () => Promise<void> {
  const gauge = metrics.gauge('atom_payment_sends', 'Invoices by how far sending them for payment has come', ['state'])
  const paid = metrics.gauge('atom_paid_sends', 'Invoices paid by hand by how far telling who collects has come', [
    'state',
  ])
  return async () => {
    gauge.reset()
    for (const { state, n } of await countSends(deps.allTenants)) gauge.set({ state }, n)
    paid.reset()
    for (const { state, n } of await countPaid(deps.allTenants)) paid.set({ state }, n)
  }
}
