import { type Db, execute } from '../../platform/db.ts'

/** Longer than the oldest time a record may carry (95 days) plus a month: no accepted retry outlives it. */
const KEEP_DAYS = 125
const BATCH = 20_000

/** Forgets hashes that no acceptable record can repeat any more, in small steps. Returns how many. */
export async function expireDedupe(db: Db, now: Date): Promise<number> {
  const before = new Date(now.getTime() - KEEP_DAYS * 86_400_000)
  return db.transaction((tx) =>
    execute(
      tx,
      `delete from metering.dedupe where (tenant, record_key) in (
         select tenant, record_key from metering.dedupe where first_seen < ? limit ?)`,
      [before, BATCH],
    ),
  )
}
