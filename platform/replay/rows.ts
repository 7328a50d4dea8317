import { type Db, execute, row, rows, type Tx } from '../db.ts'
import type { Replay, ReplayKind, ReplayRange, ReplayState } from './replay.ts'

const COLUMNS = `id, kind, consumer_group as "group", shadow, state, ranges, step::float8, begun, done::float8,
  applied::float8, left_out::float8, run_since, run_done::float8, accept_difference, inbox, note, result, requested_by, requested_at, ended_at,
  tidied`
const OPEN: readonly ReplayState[] = ['running', 'paused', 'failed']

export type NewReplay = {
  id: string
  kind: ReplayKind
  group: string
  shadow: string | null
  ranges: readonly ReplayRange[]
  inbox: string
  acceptDifference: boolean
  by: string
  now: Date
}

/** False when one of the same group and shadow is still open. */
export async function insertReplay(db: Db, wanted: NewReplay): Promise<boolean> {
  const { id, kind, group, shadow, ranges, inbox, acceptDifference, by, now } = wanted
  const made = await db.query(
    `insert into platform.replays (id, kind, consumer_group, shadow, state, ranges, inbox, accept_difference, run_since,
       requested_by, requested_at)
     values (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?) on conflict do nothing returning 1`,
    [id, kind, group, shadow, JSON.stringify(ranges), inbox, acceptDifference, now, by, now],
  )
  return made.length === 1
}

export async function findReplay(db: Db, id: string): Promise<Replay | undefined> {
  const [found] = await db.query<Replay>(`select ${COLUMNS} from platform.replays where id = ?`, [id])
  return found
}

/** One page, the newest first. */
export const listReplays = (db: Db, before: string | null, limit: number): Promise<Replay[]> =>
  db.query(`select ${COLUMNS} from platform.replays where (?::uuid is null or id < ?) order by id desc limit ?`, [
    before,
    before,
    limit,
  ])

/** The newest of a shadow that reached its end, or was a rollback that stopped on its way: where its tables stand. */
export async function lastOf(db: Db, group: string, shadow: string): Promise<Replay | undefined> {
  const [found] = await db.query<Replay>(
    `select ${COLUMNS} from platform.replays where consumer_group = ? and shadow = ?
       and (state = 'done' and kind in ('rebuild', 'rollback') or state = 'cancelled' and kind = 'rollback')
     order by ended_at desc limit 1`,
    [group, shadow],
  )
  return found
}

/** The open replay of each shadow of a group, if any. */
export const openReplays = (db: Db, group: string): Promise<Replay[]> =>
  db.query(`select ${COLUMNS} from platform.replays where consumer_group = ? and state = any(?::text[])`, [group, OPEN])

/** Takes a replay from one of some states to another, with a new run where it goes on. Returns it, or undefined. */
export async function changeState(
  db: Db,
  id: string,
  change: { from: readonly ReplayState[]; to: ReplayState; acceptDifference?: boolean; note?: string; now: Date },
): Promise<Replay | undefined> {
  const { from, to, acceptDifference = false, note = null, now } = change
  const [changed] = await db.query<Replay>(
    `update platform.replays set state = ?, accept_difference = accept_difference or ?, step = step + 1,
       run_since = case when ? = 'running' then ? else run_since end,
       run_done = case when ? = 'running' then done else run_done end,
       note = case when ? = 'running' then null else coalesce(?::text, note) end,
       ended_at = case when ? = 'cancelled' then ?::timestamptz end
     where id = ? and state = any(?::text[]) returning ${COLUMNS}`,
    [to, acceptDifference, to, now, to, to, note, to, now, id, from],
  )
  return changed
}

/** The oldest replay of a group that has something to do, but for those that wait. */
export async function nextReplay(db: Db, group: string, waiting: readonly string[]): Promise<Replay | undefined> {
  const [found] = await db.query<Replay>(
    `select ${COLUMNS} from platform.replays
     where consumer_group = ? and (state = 'running' or state in ('done', 'cancelled') and not tidied)
       and id <> all(?::uuid[])
     order by requested_at, id limit 1`,
    [group, [...waiting]],
  )
  return found
}

export type Progress = {
  ranges?: readonly ReplayRange[]
  records?: number
  applied?: number
  leftOut?: number
  begun?: boolean
  state?: ReplayState
  note?: string | null
  result?: object
  endedAt?: Date
}

/**
 * Notes progress in the transaction of the effects, if the replay is as it was read: whoever took the same step before,
 * or paused it, makes this one void. Returns whether it counted.
 */
export async function progress(tx: Tx, replay: Replay, change: Progress): Promise<boolean> {
  const { ranges, records = 0, applied = 0, leftOut = 0, begun, state, note, result, endedAt } = change
  const changed = await execute(
    tx,
    `update platform.replays set step = step + 1, done = done + ?, applied = applied + ?, left_out = left_out + ?,
       ranges = coalesce(?::jsonb, ranges), begun = coalesce(?::boolean, begun), state = coalesce(?::text, state),
       note = ?, result = coalesce(?::jsonb, result), ended_at = ?
     where id = ? and step = ? and state = 'running'`,
    [
      records,
      applied,
      leftOut,
      ranges ? JSON.stringify(ranges) : null,
      begun ?? null,
      state ?? null,
      note ?? null,
      result ? JSON.stringify(result) : null,
      endedAt ?? null,
      replay.id,
      replay.step,
    ],
  )
  return changed === 1
}

/** Where a group stands in the partitions of some topics. */
export async function groupCursors(tx: Tx, group: string, topics: readonly string[]): Promise<ReplayRange[]> {
  return rows<ReplayRange>(
    tx,
    'select topic, partition, position as at from platform.cursors where consumer_group = ? and topic = any(?::text[])',
    [group, [...topics]],
  )
}

/** How many dead letters a group has in some topics: what they hold is neither applied nor given up yet. */
export async function lettersOf(tx: Tx, group: string, topics: readonly string[]): Promise<number> {
  const found = await row<{ n: number }>(
    tx,
    'select count(*)::int as n from platform.dead_letters where consumer_group = ? and topic = any(?::text[])',
    [group, [...topics]],
  )
  return found?.n ?? 0
}
