import { createHash } from 'node:crypto'
import type { Envelope } from '../../schemas/envelope.ts'
import { type Db, execute, rows, type Tx } from '../db.ts'
import type { Batch, BusRecord } from './bus.ts'

type Identity = Pick<Envelope, 'source' | 'id'>

/**
 * Compare-and-set of a group's cursor, in the transaction of the effects. False when somebody else moved it: a
 * paused process that wakes up after its partition went elsewhere changes nothing.
 */
export async function moveCursor(tx: Tx, group: string, batch: Batch): Promise<boolean> {
  const { topic, partition, from, next } = batch
  const moved = await execute(
    tx,
    `update platform.cursors set position = ?, updated_at = now()
     where consumer_group = ? and topic = ? and partition = ? and position = ?`,
    [next, group, topic, partition, from],
  )
  if (moved === 1) return true
  const created = await execute(
    tx,
    `insert into platform.cursors (consumer_group, topic, partition, position) values (?, ?, ?, ?)
     on conflict do nothing`,
    [group, topic, partition, next],
  )
  return created === 1
}

export async function readCursor(db: Db, group: string, topic: string, partition: number): Promise<string | null> {
  const [found] = await db.query<{ position: string }>(
    'select position from platform.cursors where consumer_group = ? and topic = ? and partition = ?',
    [group, topic, partition],
  )
  return found?.position ?? null
}

/** `readCursor` of one group for many partitions: what is asked in one turn of the event loop is one statement. */
export function cursorReader(db: Db, group: string): (topic: string, partition: number) => Promise<string | null> {
  let asking: Promise<Map<string, string>> | null = null
  const readAll = async () => {
    asking = null
    const found = await db.query<{ topic: string; partition: number; position: string }>(
      'select topic, partition, position from platform.cursors where consumer_group = ?',
      [group],
    )
    return new Map(found.map(({ topic, partition, position }) => [`${topic}/${partition}`, position]))
  }
  return async (topic, partition) => {
    asking ??= Promise.resolve().then(readAll)
    return (await asking).get(`${topic}/${partition}`) ?? null
  }
}

/** Remembers the events as applied by the group and returns those it had not seen: relays and producers may repeat. */
export async function unseen(tx: Tx, group: string, events: readonly Envelope[]): Promise<Set<Envelope>> {
  if (events.length === 0) return new Set()
  const byKey = new Map<string, Envelope>()
  for (const event of events) {
    const key = eventKey(event).toString('hex')
    if (!byKey.has(key)) byKey.set(key, event)
  }
  const inserted = await rows<{ key: string }>(
    tx,
    `insert into platform.inbox (consumer_group, event_key) select ?, decode(k, 'hex') from unnest(?::text[]) k
     on conflict do nothing returning encode(event_key, 'hex') as key`,
    [group, [...byKey.keys()].sort()],
  )
  return new Set(inserted.map(({ key }) => byKey.get(key) as Envelope))
}

/** An event's identity is (source, id); 128 bits of its hash are kept. */
const eventKey = (event: Identity): Buffer =>
  createHash('sha256').update(`${event.source}\n${event.id}`).digest().subarray(0, 16)

/** Who an event is, from the headers of its record; empty where it is no event. */
export const identityOf = ({ headers }: Pick<BusRecord, 'headers'>): Identity => ({
  source: headers.ce_source ?? '',
  id: headers.ce_id ?? '',
})

/** Which events a group has applied already, as far as the inbox remembers; in their order. */
export async function seenBefore(db: Db, group: string, events: readonly Identity[]): Promise<boolean[]> {
  const keys = events.map((event) => eventKey(event).toString('hex'))
  const found = await db.query<{ key: string }>(
    `select encode(event_key, 'hex') as key from platform.inbox
     where consumer_group = ? and event_key = any(select decode(k, 'hex') from unnest(?::text[]) k)`,
    [group, keys],
  )
  const seen = new Set(found.map(({ key }) => key))
  return keys.map((key) => seen.has(key))
}
