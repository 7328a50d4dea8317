import { type Db, execute } from '../../platform/db.ts'

/** Longer than the oldest time a record may carry (95 days) plus a month: no accepted retry outlives it. */
const KEEP_DAYS = 125
/** A month can be rated again until 95 days after its end, from all its events. */
const KEEP_SINGLE_DAYS = 95 + 31 + 1
const BATCH = 20_000

/** Forgets hashes that no acceptable record can repeat, and single events no rating needs any more. In small steps. */
export async function expireUsage(db: Db, now: Date): Promise<number> {
  const before = (days: number) => new Date(now.getTime() - days * 86_400_000)
  return db.transaction(async (tx) => {
    const hashes = await execute(
      tx,
      `delete from metering.dedupe where (tenant, record_key) in (
         select tenant, record_key from metering.dedupe where first_seen < ? limit ?)`,
      [before(KEEP_DAYS), BATCH],
    )
    const events = await execute(
      tx,
      `delete from metering.priced_events where (tenant, at, record_key) in (
         select tenant, at, record_key from metering.priced_events where at < ? limit ?)`,
      [before(KEEP_SINGLE_DAYS), BATCH],
    )
    const values = await execute(
      tx,
      `delete from metering.distinct_values where ctid = any(array(
         select ctid from metering.distinct_values where day < ? limit ?))`,
      [before(KEEP_SINGLE_DAYS), BATCH],
    )
    return hashes + events + values
  })
}
