import { createRequire } from 'node:module'
import { type Admin, Kafka, type LogEntry, logLevel, type RetryOptions } from 'kafkajs'
import type { Topic } from '../../schemas/topics.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Bus } from './bus.ts'
import { openSteadyAdmin } from './kafka-admin.ts'
import { startKafkaConsumer } from './kafka-consumer.ts'
import { readExtents } from './kafka-extent.ts'
import { openCarefulProducer, within } from './kafka-producer.ts'
import { type Cluster, countRecords, openKafkaReader, readBounds } from './kafka-read.ts'
import { guardStoppedFetch } from './kafka-stopped-fetch.ts'
import { ensureTopics, retentionFaults } from './kafka-topics.ts'

/** The one door to kafkajs; the files beside this one see its types only. */
export type { Admin, Consumer, EachBatchPayload, Kafka, KafkaMessage, Producer } from 'kafkajs'

export type KafkaBusOptions = {
  brokers: readonly string[]
  /** Provisioned on opening; a topic is never created by use. */
  topics: readonly Topic[]
  log: Log
  metrics: Metrics
  /** How long `produce` goes on trying before it throws `unavailable`: whether the records are stored is not known. */
  produceTimeoutMs?: number
  /** How long one send may take before it counts as failed and is repeated. */
  sendTimeoutMs?: number
}

/**
 * Consumers give up after 5 tries unless told otherwise in their own settings, so these go to their client and to each
 * of them: with the default they crashed whenever a broker was killed.
 */
export const PATIENT = { initialRetryTime: 100, maxRetryTime: 1_000, retries: Number.MAX_SAFE_INTEGER }
/** Somebody waits for these answers (a health check, a start), so they fail instead of hanging. */
const BRIEF = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 }
/**
 * The producer tries again itself, with a new client each time; one that was thrown away must not go on connecting. A
 * client connects with its own settings, whatever its producers and admins are given, so each kind has its client.
 */
const ONCE = { retries: 0 }
const REQUEST_TIMEOUT_MS = 5_000
/** Shorter than a request: kafkajs takes a connection on which it asked in vain for a good one when it tries again. */
const CONNECT_LIMIT_MS = 4_000
const METADATA_MAX_AGE_MS = 3_000
/** Longer than electing a new leader takes (3 to 15 s), shorter than our SDKs wait (30 s). */
const PRODUCE_TIMEOUT_MS = 20_000

/**
 * Apache Kafka as the bus. Positions are offsets: the next one to read, as decimal text. State events come from the
 * outbox through the relay (`relay.ts`); `produce` writes straight to Kafka. Throws when no broker answers or a topic
 * exists with another number of partitions.
 */
export async function openKafkaBus(options: KafkaBusOptions): Promise<Bus> {
  const { brokers, topics, log, metrics } = options
  const kafka = kafkaClient(brokers, log, PATIENT)
  const producing = kafkaClient(brokers, log, ONCE)
  const admin = await openSteadyAdmin(() => connectedAdmin(brokers, log), { tries: brokers.length + 1 })
  try {
    await ensureTopics(admin, topics, log)
  } catch (error) {
    await admin.disconnect()
    throw error
  }
  const producer = openCarefulProducer({
    open: () => producing.producer({ ...PRODUCER, retry: ONCE }),
    requestTimeoutMs: options.sendTimeoutMs ?? REQUEST_TIMEOUT_MS,
    produceTimeoutMs: options.produceTimeoutMs ?? PRODUCE_TIMEOUT_MS,
    log,
    metrics,
  })
  const leaving = new Set<Promise<void>>()
  const reader = openKafkaReader(() => innerCluster(kafka), admin)
  return {
    name: 'kafka',
    produce: (records) => producer.send(records),
    consume: async (consuming) =>
      startKafkaConsumer({ kafka, admin, log, metrics, retry: PATIENT, leaving }, consuming),
    extents: (some) => readExtents(admin, some),
    bounds: (topic, position) => readBounds(admin, topic, position),
    read: reader.read,
    count: (span) => countRecords(admin, span),
    retentionFaults: (some) => retentionFaults(admin, some),
    // Brokers answer a waiting fetch as soon as there is something: nobody has to be woken.
    wake: () => {},
    async close() {
      await producer.close()
      await Promise.all(leaving)
      await reader.close()
      await admin.disconnect()
    },
  }
}

/** How many brokers the cluster lists; throws when none answers. An open port is not enough to call a broker ready. */
export async function brokersListed(brokers: readonly string[], log: Log): Promise<number> {
  const admin = kafkaClient(brokers, log, ONCE).admin({ retry: ONCE })
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.length
  } finally {
    await admin.disconnect()
  }
}

/**
 * Not idempotent on purpose: the idempotent producer of kafkajs 2.2.4 rolls its sequence number back after a failed
 * send and gives it to other content, which the broker then acknowledges without storing it. Repeats are dropped by the
 * consumers' inbox anyway.
 */
const PRODUCER = {
  idempotent: false,
  maxInFlightRequests: 1,
  allowAutoTopicCreation: false,
  metadataMaxAge: METADATA_MAX_AGE_MS,
  // The partition is ours (`partition.ts`), so that a key lies in the same one on both backends.
  createPartitioner:
    () =>
    ({ message }: { message: { partition?: number } }): number =>
      message.partition ?? 0,
}

function kafkaClient(brokers: readonly string[], log: Log, retry: RetryOptions): Kafka {
  guardIdleTimers()
  guardStoppedFetch()
  return new Kafka({
    clientId: 'atom',
    brokers: inTurn(brokers),
    retry,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: 1_000,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => report(log, entry),
  })
}

let turn = 0

/**
 * Every connection of this process begins at the next broker. Of its own accord each client of kafkajs begins at the
 * first, and stays with it when that accepts the connection and is silent, as a frozen one does.
 */
const inTurn = (brokers: readonly string[]) => (): string[] => [brokers[turn++ % brokers.length] as string]

/** kafkajs 2.2.4 keeps the maker of its clusters behind a symbol; without it only members of a group could read. */
function innerCluster(kafka: Kafka): Cluster {
  const maker = Object.getOwnPropertySymbols(kafka).find((one) => one.description === 'private:Kafka:createCluster')
  if (!maker) throw new Error('this version of kafkajs cannot be read without a group')
  const make = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[maker] as (options: object) => Cluster
  return make({ metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: false })
}

/** An admin of the first broker that answers. One that accepts a connection and is silent is left after a while. */
async function connectedAdmin(brokers: readonly string[], log: Log): Promise<Admin> {
  const client = kafkaClient(brokers, log, BRIEF)
  let last: unknown
  for (const _ of brokers) {
    const admin = client.admin({ retry: BRIEF })
    try {
      await within(CONNECT_LIMIT_MS, admin.connect())
      return admin
    } catch (error) {
      last = error
      void admin.disconnect().catch(() => {})
    }
  }
  throw new Error(`no Kafka broker answers at ${brokers.join(', ')}: ${messageOf(last)}`)
}

/** The client calls every lost connection an error; those that need a person are logged by whoever meets them. */
function report(log: Log, { namespace, level, log: { message, timestamp: _, logger: __, ...fields } }: LogEntry): void {
  const { error, groupId } = fields as { error?: unknown; groupId?: unknown }
  const detail = { from: namespace, text: message, ...(error ? { error } : {}), ...(groupId ? { groupId } : {}) }
  if (level <= logLevel.ERROR) log.warn('kafka client', detail)
  else log.debug('kafka client', detail)
}

type Queue = { pending: unknown[]; throttledUntil: number; scheduleCheckPendingRequests(): void }
let guarded = false

/**
 * kafkajs 2.2.4 arms a timer after every response although nothing waits to be sent, and the timer arms the next: about
 * 3,500 a second and 3 to 5 % of a core in an idle process (tulios/kafkajs#1751). Once per process.
 */
function guardIdleTimers(): void {
  if (guarded) return
  guarded = true
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as {
    prototype: Queue
  }
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: Queue): void {
    if (this.pending.length > 0) schedule.call(this)
  }
}
