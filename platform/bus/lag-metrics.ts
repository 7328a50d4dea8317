import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Periodic, runPeriodically } from '../periodic.ts'
import type { Consuming } from './bus.ts'

const EVERY_MS = 5_000

/** Measures every few seconds how far a group is behind in each partition, from our own cursors. */
export function watchLag(
  group: string,
  consuming: Pick<Consuming, 'lag'>,
  { metrics, log }: { metrics: Metrics; log: Log },
): Periodic {
  const labels = ['group', 'topic', 'partition']
  const records = metrics.gauge('atom_consumer_lag_records', 'Events a group has not applied', labels)
  const seconds = metrics.gauge('atom_consumer_lag_seconds', 'Age of the oldest event a group has not applied', labels)
  async function measure(): Promise<void> {
    for (const one of await consuming.lag()) {
      const where = { group, topic: one.topic, partition: one.partition }
      records.set(where, one.records)
      seconds.set(where, one.records > 0 ? one.seconds : 0)
    }
  }
  return runPeriodically(`lag of ${group}`, EVERY_MS, measure, log)
}
