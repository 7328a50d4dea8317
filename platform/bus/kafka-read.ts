import { setTimeout as pause } from 'node:timers/promises'
import type { Topic } from '../../schemas/topics.ts'
import type { Bound, BusRecord, ReadRequest, Span } from './bus.ts'
import type { KafkaMessage } from './kafka.ts'
import type { Admin } from './kafka-admin.ts'
import { toBusRecord } from './kafka-member.ts'
import { watermarks } from './kafka-places.ts'
import { type Position, PositionInvalid } from './position.ts'

type Fetched = {
  responses: { partitions: { partition: number; messages: (KafkaMessage & { isControlRecord?: boolean })[] }[] }[]
}
type Broker = { fetch(request: object): Promise<Fetched> }
/** The part of kafkajs' inner cluster that reading needs: its consumers read as members of a group only. */
export type Cluster = {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  findBroker(options: { nodeId: number }): Promise<Broker>
}
export type KafkaReader = { read(request: ReadRequest): Promise<BusRecord[]>; close(): Promise<void> }

/** More than the largest record, so that a fetch always brings at least one. */
const MAX_BYTES = 8 * 1024 * 1024
const TRIES = 5
const RETRY_MS = 200

/** The offset of the first record of a position, for each partition in order. */
export async function readBounds(admin: Admin, { name }: Topic, position: Position): Promise<Bound[]> {
  const marks = await watermarks(admin, name)
  if (position.kind === 'time') {
    const found = await admin.fetchTopicOffsetsByTimestamp(name, Math.max(0, position.at.getTime()))
    return marks.map(({ high }, partition) => {
      const first = found.find((one) => one.partition === partition)?.offset
      return { partition, at: first === undefined || BigInt(first) < 0n ? String(high) : first }
    })
  }
  return marks.map(({ low, high }, partition) => {
    if (position.kind === 'earliest') return { partition, at: String(low) }
    if (position.kind === 'latest') return { partition, at: String(high) }
    if (position.kind === 'last') return { partition, at: String(most(low, high - BigInt(position.records))) }
    const at = offsetOf(position.at)
    return { partition, at: String(at > high ? high : most(low, at)) }
  })
}

/** How many records a span holds, by its offsets: those that hold none (markers, compacted ones) count too. */
export async function countRecords(admin: Admin, { topic, partition, from, until }: Span): Promise<number> {
  const { low = 0n } = (await watermarks(admin, topic.name))[partition] ?? {}
  const records = offsetOf(until) - most(low, offsetOf(from))
  return Number(most(0n, records))
}

/** Reads outside any group. It connects with the first read; a lost leader is looked for again a few times. */
export function openKafkaReader(cluster: () => Cluster, admin: Admin): KafkaReader {
  let opened: Promise<Cluster> | undefined
  const connected = (): Promise<Cluster> => {
    opened ??= (async () => {
      const made = cluster()
      await made.connect()
      return made
    })().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  async function fetch(topic: string, partition: number, from: bigint): Promise<Fetched['responses']> {
    for (let tried = 1; ; tried++) {
      const inner = await connected()
      try {
        await inner.addTargetTopic(topic)
        const leader = inner.findTopicPartitionMetadata(topic).find((one) => one.partitionId === partition)?.leader
        if (leader === undefined) throw new Error(`${topic} has no partition ${partition}`)
        const broker = await inner.findBroker({ nodeId: leader })
        const wanted = { partition, fetchOffset: String(from), maxBytes: MAX_BYTES }
        const request = { maxWaitTime: 0, minBytes: 1, maxBytes: MAX_BYTES, topics: [{ topic, partitions: [wanted] }] }
        return (await broker.fetch(request)).responses
      } catch (error) {
        if (tried >= TRIES || isOutOfRange(error)) throw error
        await pause(RETRY_MS * tried)
        await inner.refreshMetadata().catch(() => {})
      }
    }
  }

  async function read({ topic: { name: topic }, partition, from, until, maxRecords }: ReadRequest) {
    const records: BusRecord[] = []
    const end = offsetOf(until)
    let at = offsetOf(from)
    while (at < end && records.length < maxRecords) {
      try {
        const found = await fetch(topic, partition, at)
        const messages = found.flatMap(({ partitions }) => partitions.flatMap((one) => one.messages))
        // A batch is fetched whole, so its first records may lie before the offset asked for.
        const unread = messages.filter(({ offset }) => BigInt(offset) >= at && BigInt(offset) < end)
        const last = unread.at(-1)
        if (!last) return records
        for (const message of unread) if (!message.isControlRecord) records.push(toBusRecord(topic, partition, message))
        at = BigInt(last.offset) + 1n
      } catch (error) {
        if (!isOutOfRange(error)) throw error
        const { low = 0n } = (await watermarks(admin, topic))[partition] ?? {}
        // Expired while it was read: the oldest record left is the next one.
        if (low <= at) return records
        at = low
      }
    }
    return records.slice(0, maxRecords)
  }

  return {
    read,
    async close() {
      const inner = await opened?.catch(() => undefined)
      opened = undefined
      await inner?.disconnect()
    },
  }
}

function offsetOf(position: string): bigint {
  if (/^\d{1,18}$/.test(position)) return BigInt(position)
  throw new PositionInvalid(`${position} is no offset of Kafka (they are whole numbers)`)
}

const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const isOutOfRange = (error: unknown): boolean =>
  error instanceof Error && 'type' in error && error.type === 'OFFSET_OUT_OF_RANGE'
