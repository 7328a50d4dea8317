import type { RunningKafka } from '../../../../deploy/kafka/start.ts'
import { openEmbeddedBus } from '../../../../platform/bus/embedded.ts'
import { openKafkaBus } from '../../../../platform/bus/kafka.ts'
import { startRelay } from '../../../../platform/bus/relay.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { topicList } from '../../../../schemas/topics.ts'
import { brokerForTests } from '../../../support/kafka.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { twoModelsContract } from './two-models.contract.ts'

describe('producers/marketplace: rescans on Kafka', () => {
  let kafka: RunningKafka
  before(async function () {
    kafka = await brokerForTests(this)
  })
  after(() => kafka?.stop())

  twoModelsContract('kafka', async (_market, database) => {
    const { log } = recordingLog()
    const db = database.as('atom_relay')
    const outbox = openEmbeddedBus({ server: database.server, log, dbFor: () => db, appender: db })
    const bus = await openKafkaBus({ brokers: kafka.brokers, topics: topicList, log, metrics: createMetrics() })
    const relay = await startRelay({ outbox, kafka: bus, db, topics: topicList })
    return {
      busOf: () => relay.bus,
      async close() {
        await relay.consuming.stop()
        await bus.close()
        await outbox.close()
      },
    }
  })
})
