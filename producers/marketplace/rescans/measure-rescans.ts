import type { Db } from '../../../platform/db.ts'
import type { Metrics } from '../../../platform/metrics.ts'

const STATES = ['waiting', 'asked', 'worse'] as const

/** Measures what the round still has before it, and the worse verdicts that no reviewer has settled. */
export function measureRescans(db: Db, metrics: Metrics): () => Promise<void> {
  const gauge = metrics.gauge('atom_rescanned_versions', 'Stored versions that wait for a new verdict or a person', [
    'state',
  ])
  return async () => {
    const found = await db.query<{ state: string; versions: number }>(
      `select r.state, count(*)::int as versions from marketplace.rescanned_versions r
       join marketplace.versions v on v.org = r.org and v.id = r.version_id
       where r.state in ('waiting', 'asked') or (r.state = 'worse' and r.settled_at is null and v.status <> 'blocked')
       group by r.state`,
    )
    const counts = new Map(found.map(({ state, versions }) => [state, versions]))
    for (const state of STATES) gauge.set({ state }, counts.get(state) ?? 0)
  }
}
