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

/** Longer than usage stays in any log; a replay never hands a group what is older (`replay-batch.ts`). */
export const INBOX_DAYS = 125
const INBOX_BATCH = 20_000

/** The name by which what a group builds beside its live tables is known in the inbox. */
export const inboxOfShadow = (group: string, id: string): string => `${group}.shadow.${id}`

/** Forgets old events a group, or a shadow that it built, has applied, in small steps. `db` is the group's own pool. Returns how many. */
export async function expireInbox(db: Db, group: string, now: Date): Promise<number> {
  const before = new Date(now.getTime() - INBOX_DAYS * 86_400_000)
  return db.transaction((tx) =>
    execute(
      tx,
      `delete from platform.inbox where (consumer_group, event_key) in (
         select consumer_group, event_key from platform.inbox
         where (consumer_group = ? or starts_with(consumer_group, ?)) and seen_at < ? limit ?)`,
      [group, inboxOfShadow(group, ''), before, INBOX_BATCH],
    ),
  )
}
