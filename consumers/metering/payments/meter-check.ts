import type { Metrics } from '../../../platform/metrics.ts'
import type { PaymentDeps } from './deps.ts'
import { countMeterErrors } from './meter-errors.ts'
import { countWindows, nearestLoss } from './meter-sends.ts'
import { OLDEST_MS } from './meter-windows.ts'

/** Measures what waits, what is lost, and the time left. In a dry run nothing can be lost, so there is no time left. */
export function measureMeters(
  { allTenants, gateway, now }: Pick<PaymentDeps, 'allTenants' | 'gateway' | 'now'>,
  metrics: Metrics,
): () => Promise<void> {
  const windows = metrics.gauge('atom_stripe_meter_windows', 'Windows of usage for meters of Stripe by their state', [
    'state',
  ])
  const left =
    gateway === null
      ? null
      : metrics.gauge(
          'atom_stripe_meter_seconds_until_loss',
          'Seconds until the oldest usage that a meter of Stripe may not have got can no longer be told; 3024000 without any',
        )
  const errors = metrics.gauge(
    'atom_stripe_meter_errors',
    'Reports of usage that meters of Stripe refused after they had taken it, which nobody has settled',
  )
  return async () => {
    errors.set(await countMeterErrors(allTenants))
    windows.reset()
    for (const { state, n } of await countWindows(allTenants)) windows.set({ state }, n)
    const loss = await nearestLoss(allTenants)
    left?.set((loss ? loss.getTime() - now().getTime() : OLDEST_MS) / 1000)
  }
}
