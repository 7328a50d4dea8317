import type { EventDefinition } from '../../schemas/define-event.ts'
import type { Envelope } from '../../schemas/envelope.ts'
import type { Topic } from '../../schemas/topics.ts'
import type { Activity } from '../activity.ts'
import type { Clock } from '../clock.ts'
import type { Db, Tx } from '../db.ts'
import { messageOf } from '../errors.ts'
import { fault } from '../fault.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { runPeriodically } from '../periodic.ts'
import { attempts, BACKOFF_MS, codeOf, Fenced, NotNow } from './attempts.ts'
import type { Batch, Bus, BusRecord, Consuming, LogPlace } from './bus.ts'
import {
  type DueLetter,
  dueLetters,
  keepLetter,
  keysWithLetters,
  PARKED,
  storeDeadLetter,
  takeLetter,
} from './dead-letters.ts'
import { cursorReader, moveCursor } from './effects.ts'
import { openGroupStop } from './group-stop.ts'
import type { Outcome } from './outcome.ts'
import { type Count, reactions } from './reactions.ts'
import { type WatchTimes, watchConsumer } from './watch-consumer.ts'

/**
 * One reaction to one event type. `prepare` does what is slow or not in the database, before the transaction opens;
 * `handle` may only touch the given transaction, so that its effects, the dedupe key and the cursor commit together.
 */
export type Handler<D = unknown, P = unknown> = {
  name: string
  on: EventDefinition<D>
  /** Event types it may emit; their key must be the key of the event handled. */
  emits: readonly EventDefinition[]
  /** Tables it changes, for people who weigh a replay. */
  writes?: readonly string[]
  /** A replay may hand it events again; the inbox keeps those from it that it has applied. Without it: refused. */
  replay?: 'apply'
  prepare?(event: Envelope<D>): Promise<P>
  /** `at` is where the event stands in the log. */
  handle(event: Envelope<D>, tx: Tx, prepared: P, at: LogPlace): Promise<Outcome>
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
  /** How often the group looks for dead letters whose turn it is. */
  redriveMs?: number
  /** How often the group is looked at, and how long its member may be silent. */
  watchTimes?: WatchTimes
  /** Is told of every batch applied. */
  activity?: Activity
}

const REDRIVE_MS = 5_000
/** A stopped group holds its batch this long; then the bus asks again, so that no lease of it runs out. */
const STOPPED_WAIT_MS = 60_000
const BEHIND = { code: PARKED, reason: 'waits behind a dead letter of its key', attempts: 0 }
/** A group at work; `stopped` tells why it stopped because too much failed, or null. */
export type RunningConsumer = Consuming & { stopped(): string | null }

/** Consumes every topic its handlers listen to, as one group. Events nobody handles are passed over. */
export async function runConsumer(options: RunnerOptions): Promise<RunningConsumer> {
  const { bus, db, group, handlers, metrics, now } = options
  const log = options.log.child({ group })
  const topics: Topic[] = [...new Map(handlers.map((one) => [one.on.topic.name, one.on.topic])).values()]
  const keyedTopics = topics.filter(({ keyedState }) => keyedState).map(({ name }) => name)
  const outcomes = metrics.counter('atom_events_total', 'Events by outcome', ['group', 'type', 'outcome'])
  const duration = metrics.histogram(
    'atom_batch_seconds',
    'Time to apply a batch',
    [0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
    ['group'],
  )
  const halt = new AbortController()
  const retries = metrics.counter('atom_event_retries_total', 'Further attempts to apply an event', ['group'])
  // A batch is one step for the bus; a slow handler is told from one that hangs by the events it gets done.
  let steps = 0
  const stepped = () => {
    steps += 1
  }
  const { emits, decode, settleAll, locksOf } = reactions({ handlers, inbox: group, log, stepped })
  const retrying = () => {
    steps += 1
    retries.inc({ group })
  }
  const trying = { log, signal: halt.signal, retrying }
  const attempt = attempts({ backoffMs: options.backoffMs ?? BACKOFF_MS, ...trying })
  const attemptOnce = attempts({ backoffMs: [], ...trying })
  const groupStop = await openGroupStop(db, group, { log, metrics, now })

  async function apply(batch: Batch): Promise<void> {
    if (!(await groupStop.wait(STOPPED_WAIT_MS, halt.signal))) throw new NotNow(`stopped: ${groupStop.reason()}`)
    const stop = duration.startTimer({ group })
    try {
      if (batch.records.length === 1) return await applyOne(batch)
      await applyWhole(batch)
    } catch (error) {
      if (error instanceof NotNow || batch.records.length <= 1) throw error
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
    await attempt(
      record.position,
      () => applyWhole(batch),
      (error, attempts) => deadLetter(batch, record, error, attempts),
    )
  }

  async function applyWhole(batch: Batch): Promise<void> {
    const waits = await parked(batch)
    const decoded = await decode(batch.records.filter((record) => !waits.has(record)))
    fault('runner.after-prepare', group)
    const counts = await db.transaction(
      async (tx) => {
        if (!(await moveCursor(tx, group, batch))) throw new Fenced(`${batch.topic}/${batch.partition} moved`)
        fault('runner.after-cursor', group)
        for (const record of waits) await storeDeadLetter(tx, group, record, BEHIND, now())
        const settled = await settleAll(tx, decoded)
        fault('runner.before-commit', group)
        return settled
      },
      { locks: locksOf(decoded) },
    )
    fault('runner.after-commit', group)
    groupStop.applied(decoded.length)
    applied([
      ...counts,
      ...[...waits].map((record) => ({ type: record.headers.ce_type ?? 'unknown', outcome: 'parked' })),
    ])
  }

  /**
   * What has to wait behind a dead letter of its key. Asked before the transaction: should the last letter go meanwhile,
   * what is parked is the oldest of its key, and so its turn comes at once (`dueLetters`).
   */
  async function parked({ topic, records }: Batch): Promise<Set<BusRecord>> {
    if (!keyedTopics.includes(topic)) return new Set()
    const handled = records.filter((record) => handlers.some(({ on }) => on.type === record.headers.ce_type))
    const keys = handled.map(({ key }) => key)
    const blocked = keys.length > 0 ? await keysWithLetters(db, group, topic, keys) : new Set()
    return new Set(handled.filter(({ key }) => blocked.has(key)))
  }

  function applied(counts: readonly Count[]): void {
    for (const { type, outcome } of counts) outcomes.inc({ group, type, outcome })
    if (emits && counts.length > 0) bus.wake()
    options.activity?.happened()
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
    await groupStop.failed()
  }

  /** Applies the letters whose turn it is through the same handlers; what they waited for may free the next ones. */
  async function redrive(): Promise<void> {
    if (!consuming.active()) return
    for (;;) {
      const due = await dueLetters(db, group, keyedTopics)
      if (due.length === 0) return
      for (const letter of due) await redriveOne(letter)
    }
  }

  async function redriveOne(letter: DueLetter): Promise<void> {
    const { id, record } = letter
    const again = async () => {
      const decoded = await decode([record])
      const counts = await db.transaction(
        async (tx) => ((await takeLetter(tx, group, letter, now())) ? settleAll(tx, decoded) : null),
        { locks: locksOf(decoded) },
      )
      if (counts === null) return
      applied(counts)
      log.info('dead letter applied', { id, by: letter.by })
    }
    // Whoever asked sees the answer and can ask again; what was only parked has nobody who does.
    const tryIt = letter.code === PARKED ? attempt : attemptOnce
    await tryIt(record.position, again, async (error, attempts) => {
      const code = codeOf(error)
      await keepLetter(db, letter, { code, reason: messageOf(error), attempts }, now())
      log.warn('dead letter failed again', { id, code, error: messageOf(error) })
    })
  }

  const consuming = await bus.consume({
    group,
    topics,
    start: 'earliest',
    maxRecords: options.maxRecords ?? 100,
    apply,
    cursor: cursorReader(db, group),
  })
  const everyMs = options.redriveMs ?? REDRIVE_MS
  const redriving = runPeriodically(`redrive of ${group}`, everyMs, redrive, log)
  // Beside the letters, which may take long: a group that may go on does not wait for them.
  const following = runPeriodically(`stop of ${group}`, everyMs, groupStop.follow, log)
  const vitals = () => ({ ...consuming.vitals(), signs: consuming.vitals().signs + steps })
  const stopped = () => groupStop.reason() !== null
  const times = options.watchTimes && { times: options.watchTimes }
  const watching = watchConsumer(group, { ...consuming, vitals }, { metrics, log, now, stopped, ...times })
  return {
    ...consuming,
    vitals,
    stopped: groupStop.reason,
    async stop() {
      halt.abort()
      await Promise.all([redriving.stop(), following.stop(), watching.stop(), consuming.stop()])
    },
  }
}
