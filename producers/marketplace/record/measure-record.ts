import type { Clock } from '../../../platform/clock.ts'
import type { Db } from '../../../platform/db.ts'
import type { Metrics } from '../../../platform/metrics.ts'

type Measured = { waiting: number; since: Date | null; held: number }

/** What waits for the signing key, for Prometheus. */
export function measureRecord(db: Db, metrics: Metrics, now: Clock): () => Promise<void> {
  const waiting = metrics.gauge('atom_record_waiting', 'Verdicts, decisions and changes of signers not signed yet')
  const seconds = metrics.gauge('atom_record_waiting_seconds', 'Age of the oldest of them')
  const held = metrics.gauge('atom_versions_waiting_for_key', 'Approved versions that are published once signed')
  return async () => {
    const [found] = await db.query<Measured>(
      `select (select count(*)::int from marketplace.to_record) as waiting,
         (select min(at) from marketplace.to_record) as since,
         (select count(*)::int from marketplace.versions where waits_since is not null
           and not exists (select 1 from platform.suspended_orgs s where s.org = versions.org)) as held`,
    )
    waiting.set(found?.waiting ?? 0)
    seconds.set(found?.since ? Math.max(0, (now().getTime() - found.since.getTime()) / 1_000) : 0)
    held.set(found?.held ?? 0)
  }
}
