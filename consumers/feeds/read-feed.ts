import type { Scope } from '../../platform/db.ts'
import { type Db, row, rows } from '../../platform/db.ts'
import { feedError } from './errors.ts'
import { cursorText, type FeedCursor } from './feed-cursor.ts'
import { publicTypes } from './told-events.ts'

export type FeedPage = { events: string[]; next: string; caughtUp: boolean }
export type FeedRequest = { from: FeedCursor | 'earliest' | 'latest'; types: readonly string[]; limit: number }
type Sequence = { epoch: string; last: string; removed: string }
type Found = { seq: string; event: string }

/**
 * What an organisation is told after a cursor, oldest first. `next` is always a cursor to go on from, past what others
 * are told, so that whoever asks often never falls out of the retention. Throws 410 `cursor_expired`.
 */
export const readFeed = (db: Db, scope: Scope, { from, types, limit }: FeedRequest): Promise<FeedPage> =>
  db.transaction(
    async (tx) => {
      // Read first: every event up to this number is committed, and so seen by what follows.
      const sequence = (await row<Sequence>(tx, 'select epoch, last, removed from feeds.sequence')) as Sequence
      const last = BigInt(sequence.last)
      const after = placeOf(from, sequence)
      const found = await rows<Found>(tx, ...statement(scope, { after, until: last, types, limit: limit + 1 }))
      const shown = found.slice(0, limit)
      const caughtUp = found.length <= limit
      const reached = caughtUp ? last : BigInt((shown.at(-1) as Found).seq)
      const next = cursorText({ epoch: sequence.epoch, after: reached })
      return { events: shown.map(({ event }) => event), next, caughtUp }
    },
    { scope },
  )

/** The newest number there is. */
export async function newestOf(db: Db): Promise<bigint> {
  const [found] = await db.query<{ last: string }>('select last from feeds.sequence')
  return BigInt(found?.last ?? 0)
}

function placeOf(from: FeedRequest['from'], { epoch, last, removed }: Sequence): bigint {
  if (from === 'earliest') return BigInt(removed)
  if (from === 'latest') return BigInt(last)
  const earliest = cursorText({ epoch, after: BigInt(removed) })
  const gone = (why: string) =>
    feedError('cursor_expired', `${why}; the earliest cursor is ${earliest}`, {
      headers: { link: `</feed?cursor=${earliest}>; rel="first"` },
    })
  if (from.epoch !== epoch || from.after > BigInt(last)) throw gone('this feed never gave this cursor')
  if (from.after < BigInt(removed)) throw gone('events after this cursor are gone')
  return from.after
}

type Range = { after: bigint; until: bigint; types: readonly string[]; limit: number }

/**
 * Own and public events, and those of private packages that it may read, are each looked for along an index of their own:
 * a rare organisation's cost no walk over the rest.
 */
function statement({ org, operator }: Scope, { after, until, types, limit }: Range): [string, unknown[]] {
  const bounds = [String(after), String(until), types, limit]
  const ofReaders = [String(after), String(until), types.filter((type) => publicTypes.includes(type)), limit]
  const inRange = 'seq > ? and seq <= ? and type = any(?::text[]) order by seq limit ?'
  if (operator) return [`select seq, event from feeds.events where ${inRange}`, bounds]
  return [
    `(select seq, event from feeds.events where org = ? and ${inRange}) union all
     (select seq, event from feeds.events where public and org <> ? and ${inRange}) union all
     (select seq, event from feeds.events where not public and org <> ?
        and package = any (array(select name from feeds.package_readers where reader = ?)) and ${inRange})
     order by seq limit ?`,
    [org, ...bounds, org, ...bounds, org, org, ...ofReaders, limit],
  ]
}
