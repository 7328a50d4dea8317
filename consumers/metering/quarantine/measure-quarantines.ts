import type { Db } from '../../../platform/db.ts'
import type { Metrics } from '../../../platform/metrics.ts'
import { countQuarantined } from './usage-under.ts'

/** Measures how much usage is not billed because of its version, and how much of that waits for a reviewer. */
export function measureQuarantines(allTenants: Db, metrics: Metrics): () => Promise<void> {
  const gauge = metrics.gauge('atom_quarantined_records', 'Usage records not billed because of their version', [
    'state',
  ])
  return async () => {
    const counts = new Map((await countQuarantined(allTenants)).map(({ state, records }) => [state, records]))
    for (const state of ['quarantined', 'written_off']) gauge.set({ state }, counts.get(state) ?? 0)
  }
}
