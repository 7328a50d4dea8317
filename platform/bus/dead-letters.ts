import { uuidv7 } from 'uuidv7'
import { type Db, execute, type Tx } from '../db.ts'
import type { BusRecord } from './bus.ts'

/** Code of an event that waits behind a dead letter of its key. */
export const PARKED = 'parked_behind'

/** A dead letter whose turn it is: a person asked for it, or what its key waited for is gone. */
export type DueLetter = { id: string; code: string; attempts: number; by: string; record: BusRecord }
type DueRow = {
  id: string
  topic: string
  partition: number
  position: string
  key: string
  headers: Record<string, string>
  value: Buffer
  code: string
  attempts: number
  failed_at: Date
  redrive_by: string | null
}

const DUE = `(redrive_requested_at is not null or code = '${PARKED}')`
const AT_ONCE = 50

/** Keeps an event that could not be applied exactly as it came, with its coordinates and the reason. */
export async function storeDeadLetter(
  tx: Tx,
  group: string,
  record: BusRecord,
  why: { code: string; reason: string; attempts: number },
  now: Date,
): Promise<void> {
  const { topic, partition, position, key, headers, value } = record
  await execute(
    tx,
    `insert into platform.dead_letters
       (id, consumer_group, topic, partition, position, key, headers, value, code, reason, attempts, failed_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      uuidv7(),
      group,
      topic,
      partition,
      position,
      key,
      JSON.stringify(headers),
      value,
      why.code,
      storableReason(why.reason),
      why.attempts,
      now,
    ],
  )
}

/** A reason may quote the very bytes that could not be stored, and must never keep the letter itself from being kept. */
const storableReason = (reason: string): string => reason.toWellFormed().replaceAll('\0', '').slice(0, 1_000)

/** Which of these keys have a dead letter of the group in a topic: what comes after it has to wait. */
export async function keysWithLetters(
  db: Db,
  group: string,
  topic: string,
  keys: readonly string[],
): Promise<Set<string>> {
  const found = await db.query<{ key: string }>(
    `select distinct key from platform.dead_letters where consumer_group = ? and topic = ? and key = any(?::text[])`,
    [group, topic, [...new Set(keys)]],
  )
  return new Set(found.map(({ key }) => key))
}

/** The letters of a group to apply now, oldest first; of a keyed topic only the oldest of each key. */
export async function dueLetters(db: Db, group: string, keyedTopics: readonly string[]): Promise<DueLetter[]> {
  const found = await db.query<DueRow>(
    `select id, topic, partition, position, key, headers, value, code, attempts, failed_at, redrive_by
     from platform.dead_letters d where consumer_group = ? and ${DUE}
       and (topic <> all(?::text[]) or not exists (
         select 1 from platform.dead_letters earlier
         where earlier.consumer_group = d.consumer_group and earlier.topic = d.topic and earlier.key = d.key
           and earlier.seq < d.seq))
     order by seq limit ?`,
    [group, [...keyedTopics], AT_ONCE],
  )
  return found.map(({ id, code, attempts, redrive_by, failed_at, ...record }) => ({
    id,
    code,
    attempts,
    by: redrive_by ?? `group ${group}`,
    record: { ...record, next: record.position, recordedAt: failed_at },
  }))
}

/**
 * Removes a due letter in the transaction of its effects. False when another member applied it, or a person gave it up.
 */
export async function takeLetter(tx: Tx, group: string, letter: DueLetter, now: Date): Promise<boolean> {
  const taken = await execute(tx, `delete from platform.dead_letters where id = ? and ${DUE}`, [letter.id])
  if (taken === 0) return false
  const { topic, partition, position } = letter.record
  await execute(
    tx,
    `insert into platform.dead_letter_decisions
       (id, letter, consumer_group, topic, partition, position, code, attempts, decision, decided_by, decided_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, 'redriven', ?, ?)`,
    [uuidv7(), letter.id, group, topic, partition, position, letter.code, letter.attempts, letter.by, now],
  )
  return true
}

/** A letter that failed again stays, with its attempts raised and the newest reason. */
export async function keepLetter(
  db: Db,
  letter: DueLetter,
  why: { code: string; reason: string; attempts: number },
  now: Date,
): Promise<void> {
  await db.query(
    `update platform.dead_letters set code = ?, reason = ?, attempts = attempts + ?, last_failed_at = ?,
       redrive_requested_at = null, redrive_by = null
     where id = ? and ${DUE}`,
    [why.code, storableReason(why.reason), why.attempts, now, letter.id],
  )
}
