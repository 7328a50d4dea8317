import { type Db, row, rows } from '../../platform/db.ts'

/** Which letters an act means: of one group, some ids or one code of it, or all. */
export type Selection = { group: string; ids?: string[]; code?: string }
type Filter = { group: string | null; code: string | null }
type LetterRow = Record<string, unknown> & { id: string }

// What waits behind another letter follows it by itself; it is neither asked for nor failed.
const PARKED = `code = 'parked_behind'`
const SUMMARY = `id, consumer_group as "group", topic, partition, position, key, headers->>'ce_type' as type,
  headers->>'ce_id' as event_id, code, reason, attempts, failed_at, last_failed_at, redrive_requested_at,
  redrive_by as redrive_requested_by`
const MAX_GROUPS = 100
const REASON_CHARACTERS = 200

/** One page of letters without their values, oldest first. */
export const letterPage = (db: Db, filter: Filter, after: string | null, limit: number): Promise<LetterRow[]> =>
  db.query(
    `select ${SUMMARY} from platform.dead_letters
     where (?::text is null or consumer_group = ?) and (?::text is null or code = ?) and (?::uuid is null or id > ?)
     order by id limit ?`,
    [filter.group, filter.group, filter.code, filter.code, after, after, limit],
  )

/** How many letters there are by group, topic, code and error, the most first. */
export const letterCounts = (db: Db, filter: Filter): Promise<Record<string, unknown>[]> =>
  db.query(
    `select consumer_group as "group", topic, code, left(reason, ?) as error, count(*)::int as count,
       min(failed_at) as first_failed_at, max(coalesce(last_failed_at, failed_at)) as last_failed_at
     from platform.dead_letters
     where (?::text is null or consumer_group = ?) and (?::text is null or code = ?)
     group by 1, 2, 3, 4 order by count desc, 1, 2, 3, 4 limit ?`,
    [REASON_CHARACTERS, filter.group, filter.group, filter.code, filter.code, MAX_GROUPS],
  )

/** A letter with its headers and bytes. */
export async function findLetter(
  db: Db,
  id: string,
): Promise<(LetterRow & { headers: Record<string, string>; value: Buffer }) | undefined> {
  const [found] = await db.query<LetterRow & { headers: Record<string, string>; value: Buffer }>(
    `select ${SUMMARY}, headers, value from platform.dead_letters where id = ?`,
    [id],
  )
  return found
}

/** How many letters a selection meets, and how many of those only wait behind another. */
export async function countLetters(db: Db, wanted: Selection): Promise<{ matching: number; parked: number }> {
  const [found] = await db.query<{ matching: number; parked: number }>(
    `select count(*)::int as matching, count(*) filter (where ${PARKED})::int as parked
     from platform.dead_letters where ${MATCH}`,
    matchOf(wanted),
  )
  return found ?? { matching: 0, parked: 0 }
}

/** Asks the group to apply the letters again. Returns how many were not asked for already. */
export async function requestRedrive(db: Db, wanted: Selection, by: string, now: Date): Promise<number> {
  return db.transaction(async (tx) => {
    const asked = await rows(
      tx,
      `update platform.dead_letters set redrive_requested_at = ?, redrive_by = ?
       where ${MATCH} and not ${PARKED} and redrive_requested_at is null returning 1`,
      [now, by, ...matchOf(wanted)],
    )
    return asked.length
  })
}

/** Removes the letters and keeps for each who gave it up and why. Returns how many. */
export async function discardLetters(
  db: Db,
  wanted: Selection,
  why: { by: string; reason: string; now: Date },
): Promise<number> {
  return db.transaction(async (tx) => {
    const noted = await row<{ n: number }>(
      tx,
      `with gone as (delete from platform.dead_letters where ${MATCH} returning *),
       noted as (
         insert into platform.dead_letter_decisions
           (id, letter, consumer_group, topic, partition, position, code, attempts, decision, decided_by, reason, decided_at)
         select gen_random_uuid(), id, consumer_group, topic, partition, position, code, attempts, 'discarded', ?, ?, ?
         from gone returning 1)
       select count(*)::int as n from noted`,
      [...matchOf(wanted), why.by, why.reason, why.now],
    )
    return noted?.n ?? 0
  })
}

const MATCH = `consumer_group = ? and (?::uuid[] is null or id = any(?::uuid[])) and (?::text is null or code = ?)`

function matchOf({ group, ids, code }: Selection): unknown[] {
  return [group, ids ?? null, ids ?? null, code ?? null, code ?? null]
}
