import type { Clock } from '../../../platform/clock.ts'
import { type Db, row, rows, type Tx } from '../../../platform/db.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../../platform/http/route.ts'
import type { Lifecycle } from '../../../platform/lifecycle.ts'
import type { Log } from '../../../platform/log.ts'
import { runPeriodically } from '../../../platform/periodic.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { findVersion, type VersionRow } from '../version-row.ts'
import { readerScope } from './reader.ts'

type Downloaded = Pick<VersionRow, 'org' | 'id'>
export type DownloadCounter = {
  /** Counts one; costs no statement. */
  count(version: Downloaded): void
  /** Stores what was counted since, in one statement. What fails is kept for the next time. */
  flush(): Promise<void>
}

type Options = { db: Db; now: Clock; log: Log; lifecycle: Lifecycle }
/** What a process that is killed loses at most. */
const FLUSH_MS = 5_000

/** Counts downloads in memory, by day (UTC). A process that is killed loses what it counted since the last flush. */
export function countDownloads({ db, now }: Pick<Options, 'db' | 'now'>): DownloadCounter {
  let waiting = new Map<string, number>()
  const add = (key: string, count: number) => waiting.set(key, (waiting.get(key) ?? 0) + count)

  return {
    count: ({ org, id }) => add(JSON.stringify([org, id, now().toISOString().slice(0, 10)]), 1),
    async flush() {
      if (waiting.size === 0) return
      const counted = [...waiting]
      waiting = new Map()
      const places = counted.map(([key]) => JSON.parse(key) as [string, string, string])
      try {
        await db.query(
          // In order, so that two processes that store the same days never wait for each other in a circle.
          `insert into marketplace.downloads (org, version_id, day, count)
           select * from unnest(?::text[], ?::uuid[], ?::date[], ?::bigint[]) as counted (org, version_id, day, count)
           order by 1, 2, 3
           on conflict (org, version_id, day) do update set count = downloads.count + excluded.count`,
          [0, 1, 2].map((i) => places.map((place) => place[i])).concat([counted.map(([, count]) => String(count))]),
        )
      } catch (error) {
        for (const [key, count] of counted) add(key, count)
        throw error
      }
    },
  }
}

/** A counter that stores what it counted every few seconds, and what is left when the process stops. */
export function openDownloads({ db, now, log, lifecycle }: Options): DownloadCounter {
  const downloads = countDownloads({ db, now })
  const flushing = runPeriodically('downloads', FLUSH_MS, downloads.flush, log)
  lifecycle.onClose('downloads', async () => {
    await flushing.stop()
    await downloads.flush()
  })
  return downloads
}

/** How often a version was downloaded: ever, and in the 30 days up to today. */
export async function downloadsOf(tx: Tx, { org, id }: Downloaded, now: Date) {
  const found = await row<{ total: string; recent: string }>(
    tx,
    `select coalesce(sum(count), 0) as total, coalesce(sum(count) filter (where day > ?::date - 30), 0) as recent
     from marketplace.downloads where org = ? and version_id = ?`,
    [now.toISOString(), org, id],
  )
  return { total: Number(found?.total ?? 0), last_30_days: Number(found?.recent ?? 0) }
}

/** GET /wpk/{id}/downloads: days with downloads, the newest first. */
export function downloadsRoute({ db }: Pick<MarketplaceDeps, 'db'>): Route {
  async function byDay(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time'])
    const found = await db.transaction(
      async (tx) => {
        const { org, id } = await findVersion(tx, call.params.id ?? '')
        return rows<{ day: string; count: string }>(
          tx,
          `select day::text, count from marketplace.downloads
           where org = ? and version_id = ? ${after ? 'and day < ?::date' : ''} order by day desc limit ?`,
          [org, id, ...(after ?? []), limit + 1],
        )
      },
      { scope: readerScope(call.principal) },
    )
    const { items, next } = page(found, limit, ({ day }) => [`${day}T00:00:00.000Z`])
    const days = items.map(({ day, count }) => ({ day, count: Number(count) }))
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { days, next } }
  }
  return openGet('/wpk/:id/downloads', 'Downloads of a version by day', byDay)
}
