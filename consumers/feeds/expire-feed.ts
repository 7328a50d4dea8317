import { type Db, execute, row, rows } from '../../platform/db.ts'

/** As long as raw usage: who has not asked for so long begins anew. */
export const FEED_DAYS = 35
const BATCH = 5_000
const DAY_MS = 86_400_000

/**
 * Removes what is older than the feed keeps, in steps: deliveries with their attempts, secrets that sign no more, and
 * events from the beginning on. Returns how many events went.
 */
export async function expireFeed(db: Db, now: Date): Promise<number> {
  const before = new Date(now.getTime() - FEED_DAYS * DAY_MS)
  const olderDeliveries = `delete from feeds.deliveries where (org, webhook_id, id) in (
    select org, webhook_id, id from feeds.deliveries where created_at < ? and state <> 'pending' limit ?)`
  while ((await db.transaction((tx) => execute(tx, olderDeliveries, [before, BATCH]))) === BATCH);
  await db.transaction((tx) => execute(tx, 'delete from feeds.webhook_secrets where expires_at < ?', [now]))
  let removed = 0
  for (;;) {
    const step = await expireEvents(db, before)
    removed += step
    if (step < BATCH) return removed
  }
}

const expireEvents = (db: Db, before: Date): Promise<number> =>
  db.transaction(async (tx) => {
    // Before the events, as whoever writes them takes it: the other way round two could wait for each other.
    await rows(tx, 'select 1 from feeds.sequence for no key update')
    const gone = await row<{ n: number; last: string | null }>(
      tx,
      `with first as (select seq, recorded_at from feeds.events order by seq limit ?),
         gone as (delete from feeds.events e using first f where e.seq = f.seq and f.recorded_at < ? returning e.seq)
       select count(*)::int as n, max(seq) as last from gone`,
      [BATCH, before],
    )
    if (!gone || gone.last === null) return 0
    await execute(tx, 'update feeds.sequence set removed = greatest(removed, ?)', [gone.last])
    return gone.n
  })
