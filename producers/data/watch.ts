import { oldestWriter, reportOpenWriters } from '../../platform/bus/open-writer.ts'
import type { Db } from '../../platform/db.ts'
import type { Log } from '../../platform/log.ts'
import type { Metrics } from '../../platform/metrics.ts'

/** Measures what the database knows of all groups: dead letters, and the transaction that holds the readers back. */
export function measureData(db: Db, metrics: Metrics, log: Log, openLimitSeconds?: number): () => Promise<void> {
  const report = reportOpenWriters(log, openLimitSeconds)
  const letters = metrics.gauge('atom_dead_letters', 'Dead letters, those that wait behind one apart', [
    'group',
    'code',
  ])
  const oldest = metrics.gauge(
    'atom_oldest_transaction_seconds',
    'Age of the oldest transaction that has written: readers of the log wait for it',
  )
  return async () => {
    const found = await db.query<{ group: string; code: string; n: number }>(
      'select consumer_group as "group", code, count(*)::int as n from platform.dead_letters group by 1, 2',
    )
    letters.reset()
    for (const { group, code, n } of found) letters.set({ group, code }, n)
    const writer = await oldestWriter(db)
    oldest.set(writer?.seconds ?? 0)
    report(writer)
  }
}
