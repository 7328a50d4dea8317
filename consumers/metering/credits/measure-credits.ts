import type { Metrics } from '../../../platform/metrics.ts'
import type { MeteringDeps } from '../deps.ts'

type Totals = { currency: string } & Record<'granted' | 'used' | 'expired' | 'voided' | 'remaining', number>
const STATES = ['granted', 'used', 'expired', 'voided', 'remaining'] as const

/** Measures what was granted, and what became of it. Doubles are near enough for a picture; calls answer exactly. */
export function measureCredits(
  { allTenants }: Pick<MeteringDeps, 'allTenants'>,
  metrics: Metrics,
): () => Promise<void> {
  const gauge = metrics.gauge('atom_prepaid_credits', 'Prepaid credits by what became of them', ['currency', 'state'])
  return async () => {
    const found = await allTenants.query<Totals>(
      `select currency, sum(amount)::float8 as granted, sum(used)::float8 as used, sum(expired)::float8 as expired,
         sum(voided)::float8 as voided, sum(remaining)::float8 as remaining
       from metering.credits group by currency`,
    )
    gauge.reset()
    for (const one of found) for (const state of STATES) gauge.set({ currency: one.currency, state }, one[state])
  }
}
