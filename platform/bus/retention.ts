import type { Topic } from '../../schemas/topics.ts'
import type { Db } from '../db.ts'

/** Removes what is past its topic's retention. Returns how many events left the log. */
export async function expireLog(db: Db, topics: readonly Topic[]): Promise<number> {
  let removed = 0
  for (const { name, retentionDays } of topics) {
    const [result] = await db.query<{ n: string }>('select platform.expire_log(?, ?) as n', [name, retentionDays])
    removed += Number(result?.n ?? 0)
  }
  return removed
}
