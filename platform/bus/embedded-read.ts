import type { Topic } from '../../schemas/topics.ts'
import { type Db, rows } from '../db.ts'
import type { Bound, BusRecord, ReadRequest, Span } from './bus.ts'
import { type Position, PositionInvalid } from './position.ts'

export type LogRow = {
  topic: string
  partition: number
  xid: string
  pos: string
  key: string
  headers: Record<string, string>
  value: Buffer
  recorded_at: Date
}

/** Before the first record. */
export const START = '0:0'
/** What no open transaction can still come before. */
const FENCE = 'xid < pg_snapshot_xmin(pg_current_snapshot())'

/** The cursor that reads the first record of a position, for each partition in order. */
export async function readBounds(db: Db, topic: Topic, position: Position): Promise<Bound[]> {
  const bounds: Bound[] = []
  for (let partition = 0; partition < topic.partitions; partition++)
    bounds.push({ partition, at: await boundOf(db, topic.name, partition, position) })
  return bounds
}

async function boundOf(db: Db, topic: string, partition: number, position: Position): Promise<string> {
  if (position.kind === 'earliest') return START
  if (position.kind === 'latest') return endOf(db, topic, partition)
  if (position.kind === 'offset') return before(...partsOf(position.at))
  if (position.kind === 'time') {
    const [first] = await db.query<{ xid: string; pos: string }>(
      `select xid::text, pos from platform.event_log
       where topic = ? and partition = ? and recorded_at >= ? and ${FENCE} order by event_log.xid, pos limit 1`,
      [topic, partition, position.at],
    )
    return first ? before(first.xid, first.pos) : endOf(db, topic, partition)
  }
  if (position.records === 0) return endOf(db, topic, partition)
  const [nth] = await db.query<{ xid: string; pos: string }>(
    `select xid::text, pos from platform.event_log where topic = ? and partition = ? and ${FENCE}
     order by event_log.xid desc, pos desc offset ? limit 1`,
    [topic, partition, position.records - 1],
  )
  return nth ? before(nth.xid, nth.pos) : START
}

/** The cursor of a group that has read everything of a partition. */
export async function endOf(db: Db, topic: string, partition: number): Promise<string> {
  const [last] = await db.query<{ xid: string; pos: string }>(
    `select xid::text, pos from platform.event_log where topic = ? and partition = ? and ${FENCE}
     order by event_log.xid desc, pos desc limit 1`,
    [topic, partition],
  )
  return last ? `${last.xid}:${last.pos}` : START
}

/** Topics that hold events older than their retention; a day is left for the expiry to come round. */
export async function readOverdue(db: Db, topics: readonly Topic[]): Promise<string[]> {
  const overdue: string[] = []
  for (const { name, retentionDays } of topics) {
    const [oldest] = await db.query<{ days: number | null }>(
      'select extract(epoch from now() - min(recorded_at))::float8 / 86400 as days from platform.event_log where topic = ?',
      [name],
    )
    if ((oldest?.days ?? 0) > retentionDays + 1) overdue.push(`${name} holds events past their ${retentionDays} days`)
  }
  return overdue
}

/** Records of a partition after `from`, up to and with `until`. Throws `PositionInvalid` for cursors of another bus. */
export async function readRecords(db: Db, request: ReadRequest): Promise<BusRecord[]> {
  const { topic, partition, from, until, maxRecords } = request
  const found = await db.transaction((tx) =>
    rows<LogRow>(
      tx,
      `select topic, partition, xid::text, pos, key, headers, value, recorded_at from platform.event_log
       where topic = ? and partition = ? and (event_log.xid, pos) > (?::xid8, ?::bigint)
         and (event_log.xid, pos) <= (?::xid8, ?::bigint) and ${FENCE}
       order by event_log.xid, pos limit ?`,
      [topic.name, partition, ...partsOf(from), ...partsOf(until), maxRecords],
    ),
  )
  return found.map(toBusRecord)
}

/** How many records lie after `from`, up to and with `until`. Throws `PositionInvalid` for cursors of another bus. */
export async function countRecords(db: Db, { topic, partition, from, until }: Span): Promise<number> {
  const [found] = await db.query<{ n: number }>(
    `select count(*)::int as n from platform.event_log
     where topic = ? and partition = ? and (event_log.xid, pos) > (?::xid8, ?::bigint)
       and (event_log.xid, pos) <= (?::xid8, ?::bigint) and ${FENCE}`,
    [topic.name, partition, ...partsOf(from), ...partsOf(until)],
  )
  return found?.n ?? 0
}

export function toBusRecord(found: LogRow): BusRecord {
  const { topic, partition, key, headers, value } = found
  // A cursor names the last record read here, the next one to read on Kafka; both are opaque to everybody else.
  const position = `${found.xid}:${found.pos}`
  return { topic, partition, position, next: position, key, headers, value, recordedAt: found.recorded_at }
}

const before = (xid: string, pos: string): string => `${xid}:${BigInt(pos) - 1n}`

function partsOf(position: string): [string, string] {
  const parts = /^(\d{1,18}):(-?\d{1,18})$/.exec(position)
  if (!parts) throw new PositionInvalid(`${position} is no position of the log in the database (they look like 812:34)`)
  return [parts[1] as string, parts[2] as string]
}
