import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { kafkaMissing } from '../../deploy/kafka/jars.ts'
import { type RunningKafka, startKafka } from '../../deploy/kafka/start.ts'
import { silentLog } from '../../platform/log.ts'
import { skipAloud } from './skip-aloud.ts'

/** For `before` or a test: Kafka needs Java and Maven. */
export async function kafkaOrSkip(context: Mocha.Context): Promise<void> {
  context.timeout(120_000)
  const missing = await kafkaMissing()
  if (missing !== null) skipAloud(context, 'kafka', missing)
}

/** A real broker for one test file, called in `before`. */
export async function brokerForTests(context: Mocha.Context): Promise<RunningKafka> {
  await kafkaOrSkip(context)
  const folder = await mkdtemp(join(tmpdir(), 'atom-test-kafka-'))
  const kafka = await startKafka({ folder, brokers: 1, log: silentLog })
  return {
    ...kafka,
    async stop() {
      await kafka.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A client of its own, to look behind the bus's back. */
export async function adminOf({ brokers }: RunningKafka): Promise<Admin> {
  const admin = new Kafka({ clientId: 'tests', brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  return admin
}

/** Removes every record of the topics that exist; their next offsets go on from where they were. */
export async function emptyTopics(admin: Admin, names: readonly string[]): Promise<void> {
  const existing = await admin.listTopics()
  for (const topic of names.filter((name) => existing.includes(name))) {
    const ends = await admin.fetchTopicOffsets(topic)
    const partitions = ends
      .filter(({ low, high }) => low !== high)
      .map(({ partition, high }) => ({ partition, offset: high }))
    if (partitions.length > 0) await admin.deleteTopicRecords({ topic, partitions })
  }
}
