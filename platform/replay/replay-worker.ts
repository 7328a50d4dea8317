import { attempts, BACKOFF_MS, Fenced, NotNow } from '../bus/attempts.ts'
import { execute, row, rows } from '../db.ts'
import { messageOf } from '../errors.ts'
import { runPeriodically } from '../periodic.ts'
import { type Replay, type Shadow, schemaOf, shadowOf } from './replay.ts'
import { applyBatch, endsOf, type ReplayDeps, type Work, workOf } from './replay-batch.ts'
import { changeState, nextReplay, progress } from './rows.ts'
import { swapIn } from './swap.ts'

type Options = ReplayDeps & {
  everyMs?: number
  /** Waits between attempts of one step; after the last the replay has failed. */
  backoffMs?: readonly number[]
  maxRecords?: number
}

const EVERY_MS = 5_000
const MAX_RECORDS = 500
const FORGET_AT_ONCE = 20_000

/**
 * Does the replays and rebuilds of one consumer group, in small steps beside its live work. Every process of the group
 * may run it: a step counts once, and what a dead process began another goes on with.
 */
export function runReplays(options: Options): { stop(): Promise<void> } {
  const { db, group, now, everyMs = EVERY_MS, maxRecords = MAX_RECORDS } = options
  const log = options.log.child({ group: group.group })
  const deps: ReplayDeps = { ...options, log }
  const halt = new AbortController()
  const { signal } = halt
  const attempt = attempts({ backoffMs: options.backoffMs ?? BACKOFF_MS, log, signal, retrying: () => {} })
  let max = maxRecords
  let place = ''

  async function work(): Promise<void> {
    const waiting: string[] = []
    while (!signal.aborted) {
      const replay = await nextReplay(db, group.group, waiting)
      if (!replay) return
      if (!(await tried(replay))) waiting.push(replay.id)
    }
  }

  /** False when the replay waits: the next one has its turn. */
  async function tried(replay: Replay): Promise<boolean> {
    let goesOn = true
    const one = async () => {
      goesOn = await step(replay)
      max = Math.min(maxRecords, max * 2)
    }
    try {
      await attempt(replay.id, one, async (error) => {
        goesOn = await giveUp(replay, error)
      })
      return goesOn
    } catch (error) {
      if (error instanceof NotNow) return false
      throw error
    }
  }

  /** The event that fails is found alone first, so that the note names it. True when that is still to be done. */
  async function giveUp(replay: Replay, error: unknown): Promise<boolean> {
    if (max > 1) {
      max = 1
      return true
    }
    const note = `${place}${messageOf(error)}`.toWellFormed().replaceAll('\0', '').slice(0, 1_000)
    await changeState(db, replay.id, { from: ['running'], to: 'failed', note, now: now() })
    log.error('replay failed', { id: replay.id, error: note })
    return false
  }

  async function step(replay: Replay): Promise<boolean> {
    place = ''
    if (replay.state !== 'running') return tidy(deps, replay)
    const work = workOf(deps, replay)
    if (!replay.begun) return begin(deps, work)
    const ends = await db.transaction((tx) => endsOf(tx, work))
    const at = replay.ranges.findIndex((range, index) => range.at !== ends[index])
    if (at === -1) return finish(deps, work)
    const { topic, partition, at: from } = replay.ranges[at] as Replay['ranges'][number]
    place = `${topic}/${partition} from ${from}: `
    await applyBatch(deps, work, { at, until: ends[at] as string, max })
    return true
  }

  const running = runPeriodically(`replays of ${group.group}`, everyMs, work, log)
  return {
    stop() {
      halt.abort()
      return running.stop()
    },
  }
}

const shadowFor = ({ group }: ReplayDeps, replay: Replay): Shadow | undefined => shadowOf(group, replay.shadow)

async function begin(deps: ReplayDeps, { replay }: Work): Promise<boolean> {
  const shadow = shadowFor(deps, replay)
  await deps.db.transaction(async (tx) => {
    if (!(await progress(tx, replay, { begun: true }))) throw new Fenced(`replay ${replay.id} was begun elsewhere`)
    if (shadow && replay.kind === 'rollback') {
      for (const table of shadow.tables) {
        const there = await row<{ oid: number | null }>(tx, 'select to_regclass(?) as oid', [
          `${schemaOf(shadow, replay.kind)}.${table}`,
        ])
        if (there?.oid === null) throw new Error(`there is no former ${table}`)
      }
    } else if (shadow) await execute(tx, `select ${shadow.schema}_shadow.make(?::text[])`, [[...shadow.tables]])
  })
  return true
}

async function finish(deps: ReplayDeps, work: Work): Promise<boolean> {
  const { replay } = work
  const { db, group, log, now } = deps
  const shadow = shadowFor(deps, replay)
  if (shadow && (replay.kind === 'rebuild' || replay.kind === 'rollback')) {
    const outcome = await swapIn(deps, work, shadow)
    if (outcome === 'done')
      log.info('projection swapped', { id: replay.id, kind: replay.kind, projection: shadow.name })
    return outcome !== 'waits'
  }
  await db.transaction(async (tx) => {
    const result = replay.kind === 'shadow' ? { result: (await group.recount?.compare(tx)) ?? {} } : {}
    if (!(await progress(tx, replay, { ...result, state: 'done', endedAt: now() })))
      throw new Fenced(`replay ${replay.id} went on without this`)
  })
  log.info('replay done', { id: replay.id })
  return true
}

/**
 * Removes what an ended replay no longer needs, in small steps. The tables that were live before a swap stay for a
 * rollback, and so does what the inbox knows of them.
 */
async function tidy(deps: ReplayDeps, replay: Replay): Promise<boolean> {
  const { db } = deps
  const shadow = shadowFor(deps, replay)
  const dropped = replay.kind === 'shadow' || (replay.kind === 'rebuild' && replay.state === 'cancelled')
  return db.transaction(async (tx) => {
    const inboxes = dropped
      ? [replay.inbox]
      : replay.kind === 'rebuild'
        ? (
            await rows<{ inbox: string }>(
              tx,
              // Older ones only: the next rebuild may be at work in another process already.
              `select distinct inbox from platform.replays
               where consumer_group = ? and shadow = ? and inbox <> ? and id < ?`,
              [replay.group, replay.shadow, replay.inbox, replay.id],
            )
          ).map(({ inbox }) => inbox)
        : []
    const forgotten = await execute(
      tx,
      `delete from platform.inbox where (consumer_group, event_key) in (
         select consumer_group, event_key from platform.inbox where consumer_group = any(?::text[]) limit ?)`,
      [inboxes, FORGET_AT_ONCE],
    )
    if (forgotten > 0) return true
    // In the same transaction as the mark: a process that comes late must not drop the shadow of the next rebuild.
    const mine = await execute(tx, 'update platform.replays set tidied = true where id = ? and not tidied', [replay.id])
    if (mine === 1 && dropped && shadow)
      await execute(tx, `select ${shadow.schema}_shadow.discard(?::text[])`, [[...shadow.tables]])
    return true
  })
}
