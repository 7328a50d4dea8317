import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { httpError } from '../http/errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { OutgoingRecord } from './bus.ts'
import type { Producer } from './kafka.ts'
import { MAX_RECORD_BYTES } from './kafka-topics.ts'
import { partitionOf } from './partition.ts'

export type CarefulProducer = { send(records: readonly OutgoingRecord[]): Promise<void>; close(): Promise<void> }
export type CarefulProducerOptions = {
  open: () => Producer
  requestTimeoutMs: number
  produceTimeoutMs: number
  log: Log
  metrics: Metrics
}

/** Whether the records are stored is not known; sending them again is safe, because consumers drop repeats. */
const unconfirmed = (cause?: unknown) =>
  httpError('unavailable', 'the bus did not confirm in time; send the same again, repeats count once', {
    headers: { 'retry-after': '1' },
    cause,
  })
export class RecordRefused extends Error {
  readonly code = 'record_refused'
  readonly retriable = false
}

type Waiting = { records: readonly OutgoingRecord[]; bytes: number; deadline: number; settle(error?: Error): void }

/** All records for a partition go out as one Kafka batch, which the broker limits as a whole. */
const SEND_BYTES = 1_000_000
const SEND_RECORDS = 1_000
const BACKOFF_MS = [0, 100, 200, 400, 800]
/** Headers and framing of one record, generously. */
const RECORD_OVERHEAD = 2_048
const FINAL = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'TOPIC_AUTHORIZATION_FAILED']

/**
 * One send is outstanding at any time, over all partitions, and carries what gathered during the one before. After any
 * failure, and after a send that does not answer, the producer is thrown away and the same records go out on a new one.
 */
export function openCarefulProducer(options: CarefulProducerOptions): CarefulProducer {
  const { log, requestTimeoutMs, produceTimeoutMs } = options
  const replaced = options.metrics.counter('atom_bus_producers_replaced_total', 'Producers thrown away after a failure')
  const queue: Waiting[] = []
  let current: Promise<Producer> | undefined
  let working: Promise<void> | undefined
  let closed = false

  async function send(records: readonly OutgoingRecord[]): Promise<void> {
    if (closed) throw unconfirmed()
    const large = records.find((record) => sizeOf(record) > MAX_RECORD_BYTES)
    if (large) throw new RecordRefused(`a record of ${sizeOf(large)} bytes is larger than ${MAX_RECORD_BYTES}`)
    const deadline = performance.now() + produceTimeoutMs
    const settled = portions(records).map(
      ({ records: portion, bytes }) =>
        new Promise<void>((resolve, reject) => {
          const settle = (error?: Error) => (error ? reject(error) : resolve())
          queue.push({ records: portion, bytes, deadline, settle })
        }),
    )
    working ??= work()
    await Promise.all(settled)
  }

  async function work(): Promise<void> {
    for (let group = takeGroup(queue); group.length > 0; group = takeGroup(queue)) await deliver(group)
    working = undefined
  }

  async function deliver(group: Waiting[]): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await sendOnce(group.flatMap(({ records }) => records))
        for (const one of group) one.settle()
        return
      } catch (error) {
        discard()
        log.warn('send failed, trying again on a new producer', { attempt, error: messageOf(error) })
        if (isFinal(error)) return refuse(group, error)
        group = stillWanted(group, error)
        if (group.length === 0) return
        await pause(BACKOFF_MS[attempt] ?? 1_000)
      }
    }
  }

  /** What the broker will never take is found by sending the others without it. */
  async function refuse(group: Waiting[], error: unknown): Promise<void> {
    if (group.length === 1) return group[0]?.settle(new RecordRefused(messageOf(error)))
    for (const one of group) await deliver([one])
  }

  function stillWanted(group: Waiting[], error: unknown): Waiting[] {
    const late = group.filter(({ deadline }) => closed || performance.now() > deadline)
    for (const one of late) one.settle(unconfirmed(error))
    return group.filter((one) => !late.includes(one))
  }

  async function sendOnce(records: readonly OutgoingRecord[]): Promise<void> {
    current ??= connected(options.open())
    const sending = current.then((producer) =>
      producer.sendBatch({ acks: -1, timeout: requestTimeoutMs, topicMessages: byTopic(records) }),
    )
    // A request timeout does not refresh the metadata, and a refresh asks connected brokers only: with its partition
    // on a frozen leader a producer hangs until the leader wakes up.
    await within(requestTimeoutMs * 2, sending)
  }

  function discard(): void {
    const old = current
    current = undefined
    if (!old) return
    replaced.inc()
    void old.then((producer) => producer.disconnect()).catch(() => {})
  }

  return {
    send,
    async close() {
      closed = true
      await working
      await current?.then((producer) => producer.disconnect()).catch(() => {})
    },
  }
}

async function connected(producer: Producer): Promise<Producer> {
  try {
    await producer.connect()
  } catch (error) {
    void producer.disconnect().catch(() => {})
    throw error
  }
  return producer
}

/** The result of `work`, or an error when it takes longer. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  // When the watchdog wins, the send still fails later, and nobody listens any more.
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const sizeOf = ({ key, value }: OutgoingRecord): number => Buffer.byteLength(key) + value.length + RECORD_OVERHEAD

/** Runs of records that fit one send each; a record larger than that goes alone. */
function portions(records: readonly OutgoingRecord[]): { records: OutgoingRecord[]; bytes: number }[] {
  const made: { records: OutgoingRecord[]; bytes: number }[] = []
  for (const record of records) {
    const bytes = sizeOf(record)
    const last = made.at(-1)
    if (last && last.bytes + bytes <= SEND_BYTES && last.records.length < SEND_RECORDS) {
      last.records.push(record)
      last.bytes += bytes
    } else made.push({ records: [record], bytes })
  }
  return made
}

function takeGroup(queue: Waiting[]): Waiting[] {
  let [count, bytes, records] = [0, 0, 0]
  for (const one of queue) {
    bytes += one.bytes
    records += one.records.length
    if (count > 0 && (bytes > SEND_BYTES || records > SEND_RECORDS)) break
    count += 1
  }
  return queue.splice(0, count)
}

function byTopic(records: readonly OutgoingRecord[]) {
  const topics = new Map<string, { partition: number; key: string; headers: Record<string, string>; value: Buffer }[]>()
  for (const { topic, key, headers, value } of records) {
    const messages = topics.get(topic.name) ?? []
    messages.push({ partition: partitionOf(key, topic.partitions), key, headers, value })
    topics.set(topic.name, messages)
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }))
}

/** The broker's own word for what went wrong lies somewhere down the chain of causes. */
function isFinal(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if ('type' in at && FINAL.includes(String(at.type))) return true
  return false
}
