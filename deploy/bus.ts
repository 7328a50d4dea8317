import type { Bus } from '../platform/bus/bus.ts'
import { openEmbeddedBus } from '../platform/bus/embedded.ts'
import { openKafkaBus } from '../platform/bus/kafka.ts'
import { lagCheck } from '../platform/bus/lag-check.ts'
import { startRelay } from '../platform/bus/relay.ts'
import { watchConsumer } from '../platform/bus/watch-consumer.ts'
import type { Clock } from '../platform/clock.ts'
import type { Db, Server } from '../platform/db.ts'
import type { HealthCheck } from '../platform/http/health.ts'
import type { Lifecycle } from '../platform/lifecycle.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import { topicList } from '../schemas/topics.ts'

export type OpenedBus = { bus: Bus; description: string; checks: HealthCheck[] }
type Options = {
  brokers: readonly string[] | undefined
  server: Server
  pool: (role: string) => Db
  log: Log
  metrics: Metrics
  now: Clock
}

/** The log in the database, or Kafka with that log as its outbox. */
export async function openBus(
  { brokers, server, pool, log, metrics, now }: Options,
  lifecycle: Lifecycle,
): Promise<OpenedBus> {
  const dbFor = (group: string) => pool(`atom_${group}`)
  const embedded = openEmbeddedBus({ server, log, appender: pool('atom_app'), dbFor })
  lifecycle.onClose('bus', embedded.close)
  if (brokers === undefined) return { bus: embedded, description: 'log in the database', checks: [] }
  const kafka = await openKafkaBus({ brokers, topics: topicList, log, metrics })
  lifecycle.onClose('kafka', kafka.close)
  const relay = await startRelay({ outbox: embedded, kafka, db: dbFor('relay'), topics: topicList })
  lifecycle.onClose('relay', relay.consuming.stop)
  const watching = watchConsumer('relay', relay.consuming, { metrics, log: log.child({ group: 'relay' }), now })
  lifecycle.onClose('watchdog of the relay', watching.stop)
  return { bus: relay.bus, description: `Kafka at ${brokers.join(', ')}`, checks: [lagCheck('relay', relay.consuming)] }
}
