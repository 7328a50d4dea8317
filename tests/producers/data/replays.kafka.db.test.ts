import type { Admin } from 'kafkajs'
import type { RunningKafka } from '../../../deploy/kafka/start.ts'
import { openKafkaBus } from '../../../platform/bus/kafka.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { topicList } from '../../../schemas/topics.ts'
import { freshDatabase } from '../../support/database.ts'
import { adminOf, brokerForTests, emptyTopics } from '../../support/kafka.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { rebuildContract } from './rebuild.contract.ts'
import { rebuildTroubleContract } from './rebuild-trouble.contract.ts'
import { replayContract } from './replay.contract.ts'
import type { ReplayBackend } from './replay-world.ts'

describe('producers/data: replays on Kafka', function () {
  this.timeout(60_000)
  let kafka: RunningKafka
  let admin: Admin
  before(async function () {
    kafka = await brokerForTests(this)
    admin = await adminOf(kafka)
  })
  after(async () => {
    await admin?.disconnect()
    await kafka?.stop()
  })

  const empty = () =>
    emptyTopics(
      admin,
      topicList.map(({ name }) => name),
    )
  async function open(): Promise<ReplayBackend> {
    const database = await freshDatabase()
    await empty()
    const { log } = recordingLog()
    const { brokers } = kafka
    const bus = await openKafkaBus({ brokers, topics: topicList, log, metrics: createMetrics() })
    return {
      bus,
      database,
      brokers,
      empty,
      async close() {
        await bus.close()
        await database.drop()
      },
    }
  }
  rebuildContract('kafka', open)
  rebuildTroubleContract('kafka', open)
  replayContract('kafka', open)
})
