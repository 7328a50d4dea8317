import { setTimeout } from 'node:timers/promises'
import { type EventDefinition, EventInvalid } from '../../schemas/define-event.ts'
import type { Envelope } from '../../schemas/envelope.ts'
import type { Topic } from '../../schemas/topics.ts'
import type { Clock } from '../clock.ts'
import type { Db, Tx } from '../db.ts'
import { messageOf } from '../errors.ts'
import { fault } from '../fault.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { fromRecord } from './binary-mode.ts'
import type { Batch, Bus, BusRecord, Consuming } from './bus.ts'
import { moveCursor, readCursor, storeDeadLetter, unseen } from './effects.ts'
import { keyLock, publish } from './outbox.ts'
import type { Outcome } from './outcome.ts'

/**
 * One reaction to one event type. `prepare` does what is slow or not in the database, before the transaction opens;
 * `handle` may only touch the given transaction, so that its effects, the dedupe key and the cursor commit together.
 */
export type Handler<D = unknown, P = unknown> = {
  name: string
  on: EventDefinition<D>
  /** Event types it may emit; their key must be the key of the event handled. */
  emits: readonly EventDefinition[]
  prepare?(event: Envelope<D>): Promise<P>
  handle(event: Envelope<D>, tx: Tx, prepared: P): Promise<Outcome>
}

/** Lets handlers of different event types stand in one list. */
export const handler = <D, P = undefined>(definition: Handler<D, P>): Handler =>
  ({ ...definition }) as unknown as Handler

export type RunnerOptions = {
  bus: Bus
  db: Db
  group: string
  handlers: readonly Handler[]
  log: Log
  metrics: Metrics
  now: Clock
  maxRecords?: number
  /** Waits between attempts of one event, in milliseconds; after the last the event is dead-lettered. */
  backoffMs?: readonly number[]
}

const BACKOFF_MS = [50, 200, 800, 2_000, 5_000]
type Reaction = { handler: Handler; prepared: unknown }
type Decoded = { record: BusRecord; event: Envelope; reactions: Reaction[] }

/** Another member moved the cursor; what this one did was rolled back. */
class Fenced extends Error {}
class Stopping extends Error {}

/** Consumes every topic its handlers listen to, as one group. Events nobody handles are passed over. */
export async function runConsumer(options: RunnerOptions): Promise<Consuming> {
  const { bus, db, group, handlers, metrics, now } = options
  const log = options.log.child({ group })
  const backoff = options.backoffMs ?? BACKOFF_MS
  const emitted = [...new Set(handlers.flatMap((one) => one.emits))]
  const topics = [...new Map(handlers.map((one) => [one.on.topic.name, one.on.topic])).values()]
  const outcomes = metrics.counter('atom_events_total', 'Events by outcome', ['group', 'type', 'outcome'])
  const duration = metrics.histogram(
    'atom_batch_seconds',
    'Time to apply a batch',
    [0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    ['group'],
  )
  const halt = new AbortController()

  async function apply(batch: Batch): Promise<void> {
    const stop = duration.startTimer({ group })
    try {
      if (batch.records.length === 1) return await applyOne(batch)
      await applyWhole(batch)
    } catch (error) {
      if (error instanceof Fenced || error instanceof Stopping || batch.records.length <= 1) throw error
      await applyHalves(batch)
    } finally {
      stop()
    }
  }

  /** A poison event is found by halving; everything beside it is applied once. */
  async function applyHalves(batch: Batch): Promise<void> {
    const middle = batch.records.length >> 1
    const first = batch.records.slice(0, middle)
    const turn = (first.at(-1) as BusRecord).next
    await apply({ ...batch, records: first, next: turn })
    await apply({ ...batch, records: batch.records.slice(middle), from: turn })
  }

  async function applyOne(batch: Batch): Promise<void> {
    const record = batch.records[0] as BusRecord
    for (let attempt = 0; ; attempt++) {
      try {
        return await applyWhole(batch)
      } catch (error) {
        if (error instanceof Fenced) throw error
        // While stopping nothing is given up on: the cursor stays, and the next process tries again.
        if (halt.signal.aborted) throw new Stopping('stopping')
        const wait = backoff[attempt]
        if (wait === undefined || isFinal(error)) return deadLetter(batch, record, error, attempt + 1)
        log.warn('event failed, trying again', { position: record.position, attempt, error: messageOf(error) })
        await pause(wait * (0.5 + Math.random() / 2))
      }
    }
  }

  /** Rejects at once when the consumer stops: nobody waits for the next attempt then. */
  async function pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: halt.signal }).catch(() => {
      throw new Stopping('stopping')
    })
  }

  async function applyWhole(batch: Batch): Promise<void> {
    const decoded = await decode(batch.records)
    fault('runner.after-prepare', group)
    const counts: [string, string][] = []
    await db.transaction(
      async (tx) => {
        if (!(await moveCursor(tx, group, batch))) throw new Fenced(`${batch.topic}/${batch.partition} moved`)
        fault('runner.after-cursor', group)
        const fresh = await unseen(
          tx,
          group,
          decoded.map(({ event }) => event),
        )
        fault('runner.after-inbox', group)
        for (const one of decoded) {
          if (!fresh.has(one.event)) counts.push([one.event.type, 'duplicate'])
          else for (const reaction of one.reactions) counts.push([one.event.type, await settle(tx, one, reaction)])
        }
        fault('runner.before-commit', group)
      },
      { locks: locksOf(decoded) },
    )
    fault('runner.after-commit', group)
    for (const [type, outcome] of counts) outcomes.inc({ group, type, outcome })
    if (emitted.length > 0 && counts.length > 0) bus.wake()
  }

  async function settle(tx: Tx, { record, event }: Decoded, reaction: Reaction): Promise<string> {
    const outcome = await reaction.handler.handle(event, tx, reaction.prepared)
    fault('runner.after-effects', group)
    if (outcome.kind === 'ok')
      for (const { definition, event: out } of outcome.emit) await publish(tx, definition, [out])
    if (outcome.kind === 'skip') log.debug('event skipped', { id: event.id, reason: outcome.reason })
    if (outcome.kind === 'dead-letter') await storeDeadLetter(tx, group, record, { ...outcome, attempts: 1 }, now())
    return outcome.kind
  }

  async function decode(records: readonly BusRecord[]): Promise<Decoded[]> {
    const decoded: Decoded[] = []
    for (const record of records) {
      const interested = handlers.filter(({ on }) => on.type === record.headers.ce_type)
      const first = interested[0]
      if (!first) continue
      const event = fromRecord(record)
      const problem = first.on.problem(event.data)
      if (problem) throw new EventInvalid(problem)
      const reactions: Reaction[] = []
      for (const one of interested) reactions.push({ handler: one, prepared: await one.prepare?.(event) })
      decoded.push({ record, event, reactions })
    }
    return decoded
  }

  function locksOf(decoded: readonly Decoded[]): string[] {
    return decoded.flatMap(({ event }) => emitted.map((definition) => keyLock(definition.topic, event.partitionkey)))
  }

  async function deadLetter(batch: Batch, record: BusRecord, error: unknown, attempts: number): Promise<void> {
    const code = codeOf(error)
    await db.transaction(async (tx) => {
      if (!(await moveCursor(tx, group, batch))) throw new Fenced(`${batch.topic}/${batch.partition} moved`)
      fault('dead-letter.after-cursor', group)
      await storeDeadLetter(tx, group, record, { code, reason: messageOf(error), attempts }, now())
      fault('dead-letter.before-commit', group)
    })
    fault('dead-letter.after-commit', group)
    outcomes.inc({ group, type: record.headers.ce_type ?? 'unknown', outcome: 'dead-letter' })
    log.error('event dead-lettered', { position: record.position, code, attempts, error: messageOf(error) })
  }

  const consuming = await bus.consume({
    group,
    topics: topics as readonly Topic[],
    start: 'earliest',
    maxRecords: options.maxRecords ?? 100,
    apply,
    cursor: (topic, partition) => readCursor(db, group, topic, partition),
  })
  return {
    ...consuming,
    stop: () => {
      halt.abort()
      return consuming.stop()
    },
  }
}

const isFinal = (error: unknown) => error instanceof Error && 'retriable' in error && error.retriable === false
const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'handler_failed'
