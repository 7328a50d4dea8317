import type { Topic } from '../../schemas/topics.ts'
import { type Db, execute } from '../db.ts'

/** Removes what is past its topic's retention. Returns how many events left the log. */
export async function expireLog(db: Db, topics: readonly Topic[]): Promise<number> {
  let removed = 0
  for (const { name, retentionDays } of topics) {
    const [result] = await db.query<{ n: string }>('select platform.expire_log(?, ?) as n', [name, retentionDays])
    removed += Number(result?.n ?? 0)
  }
  return removed
}

/** An event cannot come again once it has left every log, so the inbox forgets it then. */
const INBOX_DAYS = 125
const INBOX_BATCH = 20_000

/** Forgets old events a group has applied, in small steps. `db` is the group's own pool. Returns how many. */
export async function expireInbox(db: Db, group: string, now: Date): Promise<number> {
  const before = new Date(now.getTime() - INBOX_DAYS * 86_400_000)
  return db.transaction((tx) =>
    execute(
      tx,
      `delete from platform.inbox where consumer_group = ? and event_key in (
         select event_key from platform.inbox where consumer_group = ? and seen_at < ? limit ?)`,
      [group, group, before, INBOX_BATCH],
    ),
  )
}
