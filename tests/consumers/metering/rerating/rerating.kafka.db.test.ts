import type { Admin } from 'kafkajs'
import type { RunningKafka } from '../../../../deploy/kafka/start.ts'
import { openKafkaBus } from '../../../../platform/bus/kafka.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { topicList } from '../../../../schemas/topics.ts'
import { adminOf, brokerForTests, emptyTopics } from '../../../support/kafka.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { openBilling } from '../fixture.ts'
import { reratingContract } from './rerating.contract.ts'

describe('consumers/metering: POST /billing/replay on Kafka', function () {
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
  const trim = () =>
    emptyTopics(
      admin,
      topicList.map(({ name }) => name),
    )

  reratingContract(
    'kafka',
    async (start) => {
      await trim()
      const { log } = recordingLog()
      const { brokers } = kafka
      const bus = () => openKafkaBus({ brokers, topics: topicList, log, metrics: createMetrics() })
      const billing = await openBilling(start, bus)
      return { billing, trim, close: () => billing.close() }
    },
    false,
  )
})
