import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { BusRecord, ConsumeOptions } from './bus.ts'
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from './kafka.ts'
import { findPlaces, type Place, type PlaceFinder } from './kafka-places.ts'

export type Member = {
  /** Why it has to be replaced, or that it was stopped. */
  ended: Promise<Ending>
  assigned(): boolean
  applying(): boolean
  /** Ends it as stuck. */
  giveUp(): void
  /** Resolves when nothing is being applied. */
  idle(): Promise<void>
  leave(): Promise<void>
}
export type MemberDeps = {
  kafka: Kafka
  retry: { initialRetryTime: number; maxRetryTime: number; retries: number }
  finder: PlaceFinder
  log: Log
  halt: AbortSignal
  joined: () => void
  /** Called whenever the brokers answered or a batch is applied. */
  sign: () => void
}
type Ending = 'stopped' | 'crashed' | 'stuck'
type Places = Map<string, Place>

/** A dead process is noticed after this; a false alarm only costs a rebalance, the cursor keeps effects single. */
const SESSION_TIMEOUT_MS = 10_000
const HEARTBEAT_MS = 2_000
/** Heartbeats go on this long while one batch is applied, as `max.poll.interval.ms` bounds it in other clients. */
const MAX_APPLY_MS = 300_000
/** How long a fetch waits for records; it answers at once when there are any, and stopping waits for it. */
const FETCH_WAIT_MS = 1_000
const RETRY_AFTER_ERROR_MS = 500
const HINT_EVERY_MS = 1_000
const LEAVE_TIMEOUT_MS = 5_000

/**
 * One kafkajs consumer. The stored cursor says where to read, on every assignment and after every failure; what comes
 * from any other offset is not applied. Offsets are committed to Kafka only so that its tools can show a lag.
 */
export function openMember(deps: MemberDeps, options: ConsumeOptions): Member {
  const { finder, log, halt } = deps
  const consumer = deps.kafka.consumer({
    groupId: `atom.${options.group}`,
    retry: { ...deps.retry, restartOnFailure: async () => false },
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: HEARTBEAT_MS,
    rebalanceTimeout: SESSION_TIMEOUT_MS,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    metadataMaxAge: 3_000,
    allowAutoTopicCreation: false,
  })
  let places: Places = new Map()
  let loading: Promise<Places> = Promise.resolve(places)
  let applying: Promise<void> = Promise.resolve()
  let busy = false
  let left = false
  const rest = () => pause(RETRY_AFTER_ERROR_MS, undefined, { signal: halt }).catch(() => {})
  /** False once these places belong to an older assignment, or to a member that stops. */
  const current = (of: Places) => !halt.aborted && !left && places === of

  /** Heartbeats while waiting. A failed one needs no answer here: the client meets the same error at its next one. */
  async function alive<T>(heartbeat: () => Promise<void>, work: Promise<T>): Promise<T> {
    const begun = performance.now()
    const timer = setInterval(() => {
      // A member that was given up must lose its partitions although what it applies still hangs.
      if (!left && performance.now() - begun < MAX_APPLY_MS) heartbeat().catch(() => {})
    }, HEARTBEAT_MS)
    try {
      return await work
    } finally {
      clearInterval(timer)
    }
  }
  const hints = new Map<string, { topic: string; partition: number; offset: string }>()

  /** The places of a new assignment; asks until the database and the brokers answer, or a newer one replaces it. */
  async function load(assignment: Record<string, number[]>, into: Places, before: Places): Promise<Places> {
    while (current(into)) {
      try {
        for (const [topic, partitions] of Object.entries(assignment)) await settle(into, topic, partitions, before)
        return into
      } catch (error) {
        log.warn('cursors could not be read', { error: messageOf(error) })
        await rest()
      }
    }
    return into
  }

  async function settle(into: Places, topic: string, partitions: number[], before: Places): Promise<void> {
    const found = await findPlaces(finder, topic, partitions, (partition) => before.get(`${topic}/${partition}`))
    if (!current(into)) return
    for (const [partition, place] of found) {
      into.set(`${topic}/${partition}`, place)
      consumer.seek({ topic, partition, offset: String(place.offset) })
    }
  }

  async function onBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const { topic, partition } = batch
    const mine = await alive(heartbeat, loading)
    const place = mine.get(`${topic}/${partition}`)
    const gone = () => !current(mine) || !isRunning() || isStale()
    if (!place || gone()) return
    const { fetchedOffset } = batch as typeof batch & { fetchedOffset: string }
    const unread = batch.messages.filter(({ offset }) => BigInt(offset) >= place.offset)
    // Asked for before the seek took effect, or moved by Kafka because the offset was out of range.
    if (BigInt(fetchedOffset) > place.offset || unread.length === 0) return settleAgain(mine, topic, partition)
    for (let at = 0; at < unread.length && !gone(); at += options.maxRecords) {
      const records = unread.slice(at, at + options.maxRecords).map((message) => toBusRecord(topic, partition, message))
      const { position, next } = records.at(-1) as BusRecord
      try {
        applying = options.apply({ topic, partition, from: place.from, next, records })
        await alive(heartbeat, applying)
      } catch (error) {
        if (!current(mine)) return
        log.warn('consumer step failed', { topic, partition, error: messageOf(error) })
        await alive(heartbeat, rest())
        return settleAgain(mine, topic, partition)
      }
      deps.sign()
      place.from = next
      place.offset = BigInt(next)
      hints.set(`${topic}/${partition}`, { topic, partition, offset: next })
      if (!current(mine)) return
      resolveOffset(position)
      await heartbeat()
    }
  }

  /** The stored cursor is the truth: it is read again after every failure and whenever a batch does not fit it. */
  async function settleAgain(mine: Places, topic: string, partition: number): Promise<void> {
    while (current(mine)) {
      try {
        return await settle(mine, topic, [partition], mine)
      } catch (error) {
        log.warn('cursor could not be read', { topic, partition, error: messageOf(error) })
        await rest()
      }
    }
  }

  async function sendHints(): Promise<void> {
    const due = [...hints.values()]
    hints.clear()
    if (due.length > 0) await consumer.commitOffsets(due)
  }

  let hinting = false
  const hinter = setInterval(() => {
    if (hinting) return
    hinting = true
    sendHints()
      .catch((error: unknown) => log.debug('offsets not committed', { error: messageOf(error) }))
      .finally(() => {
        hinting = false
      })
  }, HINT_EVERY_MS)

  let end: (reason: Ending) => void = () => {}
  const ended = new Promise<Ending>((resolve) => {
    end = resolve
  })
  const stopped = () => end('stopped')
  halt.addEventListener('abort', stopped)
  consumer.on(consumer.events.CRASH, () => end('crashed'))
  consumer.on(consumer.events.FETCH, () => {
    if (!left) deps.sign()
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    deps.sign()
    deps.joined()
    hints.clear()
    const before = places
    places = new Map()
    loading = load(payload.memberAssignment, places, before)
  })
  const begun = begin(consumer, options, async (payload) => {
    busy = true
    try {
      await onBatch(payload)
    } finally {
      busy = false
    }
  }).catch((error: unknown) => {
    log.warn('consumer did not start', { error: messageOf(error) })
    end('crashed')
  })

  return {
    ended,
    assigned: () => places.size > 0,
    applying: () => busy,
    giveUp: () => end('stuck'),
    idle: () => applying.catch(() => {}),
    async leave() {
      left = true
      halt.removeEventListener('abort', stopped)
      clearInterval(hinter)
      await Promise.race([sendHints(), pause(HINT_EVERY_MS, undefined, { ref: false })]).catch(() => {})
      // A consumer that is stopped while it joins would go on consuming afterwards, so the join is waited for.
      const gone = begun.then(() => consumer.disconnect())
      await Promise.race([gone, pause(LEAVE_TIMEOUT_MS, undefined, { ref: false })])
    },
  }
}

async function begin(
  consumer: Consumer,
  options: ConsumeOptions,
  eachBatch: (payload: EachBatchPayload) => Promise<void>,
): Promise<void> {
  await consumer.connect()
  await consumer.subscribe({ topics: options.topics.map(({ name }) => name), fromBeginning: true })
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch })
}

/** A message as every backend gives records; of a header that comes twice, the last. */
export function toBusRecord(topic: string, partition: number, message: KafkaMessage): BusRecord {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const last = Array.isArray(value) ? value.at(-1) : value
    if (last !== undefined) headers[name] = last.toString()
  }
  return {
    topic,
    partition,
    position: message.offset,
    next: String(BigInt(message.offset) + 1n),
    key: message.key?.toString() ?? '',
    headers,
    value: message.value ?? Buffer.alloc(0),
    recordedAt: new Date(Number(message.timestamp)),
  }
}
