import type { Topic } from '../../schemas/topics.ts'
import { Fenced } from '../bus/attempts.ts'
import type { Bus, BusRecord } from '../bus/bus.ts'
import { keysWithLetters } from '../bus/dead-letters.ts'
import { identityOf, seenBefore } from '../bus/effects.ts'
import { type Count, type Decoded, type Reactions, reactions } from '../bus/reactions.ts'
import { INBOX_DAYS } from '../bus/retention.ts'
import type { Handler } from '../bus/runner.ts'
import type { Clock } from '../clock.ts'
import type { Db, Tx } from '../db.ts'
import { fault } from '../fault.ts'
import type { Log } from '../log.ts'
import { type Replay, type ReplayGroup, type ReplayRange, schemaOf, shadowOf } from './replay.ts'
import { groupCursors, progress } from './rows.ts'

export type ReplayDeps = { bus: Bus; db: Db; group: ReplayGroup; log: Log; now: Clock }
/** One replay with what applies its events: the group's own handlers, or those of the tables beside the live ones. */
export type Work = { replay: Replay; topics: ReadonlyMap<string, Topic>; reacting: Reactions }
type Taken = { records: number; leftOut: number; decoded: Decoded[] }

/** A day less than the inbox remembers, because it forgets by the hour. */
const REMEMBERED_MS = (INBOX_DAYS - 1) * 86_400_000

/** The inbox has forgotten what the group applied so long ago: handing it over again would have its effects twice. */
class Forgotten extends Error {
  readonly retriable = false
}

export function workOf({ group, log }: ReplayDeps, replay: Replay): Work {
  const handlers = handlersOf(group, replay)
  return {
    replay,
    topics: new Map(handlers.map(({ on }) => [on.topic.name, on.topic])),
    reacting: reactions({ handlers, inbox: replay.inbox, log }),
  }
}

function handlersOf(group: ReplayGroup, replay: Replay): readonly Handler[] {
  if (replay.kind === 'apply') return group.handlers
  const shadow = shadowOf(group, replay.shadow)
  if (!shadow) throw new Error(`this version of ${group.group} has no ${replay.shadow}`)
  return shadow.handlers(schemaOf(shadow, replay.kind))
}

/** Where each range of a replay ends now. A partition that the group has not begun to read has nothing in it yet. */
export async function endsOf(tx: Tx, { replay, topics }: Work): Promise<string[]> {
  const cursors = await groupCursors(tx, replay.group, [...topics.keys()])
  const cursorOf = ({ topic, partition }: ReplayRange) =>
    cursors.find((one) => one.topic === topic && one.partition === partition)?.at
  return replay.ranges.map((range) => range.until ?? cursorOf(range) ?? range.at)
}

/** Records of one range with what is to be applied of them. */
export async function take(deps: ReplayDeps, work: Work, at: number, until: string, max: number) {
  const range = work.replay.ranges[at] as ReplayRange
  const topic = work.topics.get(range.topic)
  if (!topic) throw new Error(`no handler of ${work.replay.group} listens to ${range.topic}`)
  const request = { topic, partition: range.partition, from: range.at, until, maxRecords: max }
  const records = await deps.bus.read(request)
  const leftOut = await leaveOut(deps, work, topic, records)
  const wanted = records.filter((record) => !leftOut.has(record))
  const decoded = await work.reacting.decode(work.replay.kind === 'apply' ? await missed(deps, wanted) : wanted)
  if (work.replay.kind === 'apply') refuseForgotten(decoded, deps.now())
  const taken: Taken = { records: records.length, leftOut: leftOut.size, decoded }
  return { range: { ...range, at: records.at(-1)?.next ?? until }, taken }
}

/** Applies the next records of one range. Effects, dedupe keys and progress commit together, or nothing happened. */
export async function applyBatch(
  deps: ReplayDeps,
  work: Work,
  next: { at: number; until: string; max: number },
): Promise<void> {
  const { replay, reacting } = work
  const { range, taken } = await take(deps, work, next.at, next.until, next.max)
  await deps.db.transaction(
    async (tx) => {
      const counts = await reacting.settleAll(tx, taken.decoded)
      const ranges = replay.ranges.with(next.at, range)
      const { records, leftOut } = taken
      if (!(await progress(tx, replay, { ranges, records, leftOut, applied: appliedOf(counts) })))
        throw new Fenced(`replay ${replay.id} went on without this`)
      fault('replay.before-commit')
    },
    { locks: reacting.locksOf(taken.decoded) },
  )
  fault('replay.after-commit')
  if (reacting.emits) deps.bus.wake()
}

/** How many events had an effect; the others the group knew already. */
export const appliedOf = (counts: readonly Count[]): number => counts.filter(({ outcome }) => outcome === 'ok').length

/**
 * What a replay must not touch. An event whose key waits behind a dead letter is redriven in its order; of what is
 * built beside the live tables, events that a person gave up for the group are no part.
 */
async function leaveOut(
  { db }: ReplayDeps,
  { replay }: Work,
  topic: Topic,
  records: readonly BusRecord[],
): Promise<Set<BusRecord>> {
  if (records.length === 0) return new Set()
  if (replay.kind === 'apply') {
    if (!topic.keyedState) return new Set()
    const keys = records.map(({ key }) => key)
    const blocked = await keysWithLetters(db, replay.group, topic.name, keys)
    return new Set(records.filter(({ key }) => blocked.has(key)))
  }
  const discarded = await db.query<{ position: string }>(
    `select position from platform.dead_letter_decisions where consumer_group = ? and topic = ? and partition = ?
       and decision = 'discarded' and position = any(?::text[])`,
    [replay.group, topic.name, records[0]?.partition, records.map(({ position }) => position)],
  )
  const given = new Set(discarded.map(({ position }) => position))
  return new Set(records.filter(({ position }) => given.has(position)))
}

/** What the group has applied needs no preparation, which may be the dearest part of it. */
async function missed({ db, group }: ReplayDeps, records: readonly BusRecord[]): Promise<BusRecord[]> {
  const seen = await seenBefore(db, group.group, records.map(identityOf))
  return records.filter((_, index) => !seen[index])
}

function refuseForgotten(decoded: readonly Decoded[], now: Date): void {
  const old = decoded.find(({ event }) => isForgotten(event.time, now))
  if (old) throw new Forgotten(`event ${old.event.id} is of ${old.event.time}, longer ago than the inbox remembers`)
}

/** Whether an event of this time may have been applied and forgotten. */
export const isForgotten = (time: string, now: Date): boolean => Date.parse(time) < now.getTime() - REMEMBERED_MS
