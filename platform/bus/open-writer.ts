import type { Db } from '../db.ts'
import type { HealthCheck } from '../http/health.ts'
import type { Log } from '../log.ts'

/** A transaction that has written and is not over; `pid` is null for a prepared one. */
export type OpenWriter = {
  pid: number | null
  application: string
  role: string
  database: string
  begun: string
  seconds: number
}

/** Our own end after seconds, so this is somebody else's, or one that hangs. The same minute as a group may be behind. */
export const OPEN_LIMIT_SECONDS = 60

/** The oldest transaction that has written, of anybody on this database server, or null. */
export async function oldestWriter(db: Db): Promise<OpenWriter | null> {
  const [found] = await db.query<OpenWriter>('select * from platform.oldest_writer()')
  return found ?? null
}

/** Fails while a transaction has been open for too long: events are stored, and no reader of the log passes it. */
export const openWriterCheck = (db: Db, limitSeconds = OPEN_LIMIT_SECONDS): HealthCheck => ({
  name: 'writers',
  async run() {
    const seconds = (await oldestWriter(db))?.seconds ?? 0
    if (seconds <= limitSeconds) return { status: 'ok' }
    const detail = `a transaction has been open for ${Math.round(seconds)} s and holds every reader of the log back; the log names it`
    return { status: 'failed', code: 'writer_open', detail }
  },
})

/** Names each transaction that is open for too long once, and says when the readers go on. */
export function reportOpenWriters(log: Log, limitSeconds = OPEN_LIMIT_SECONDS): (found: OpenWriter | null) => void {
  let named: OpenWriter | null = null
  return (found) => {
    const held = found !== null && found.seconds > limitSeconds ? found : null
    if (held?.pid === named?.pid && held?.begun === named?.begun) return
    named = held
    if (held) log.error('an open transaction holds the readers of the log back', held)
    else log.info('no open transaction holds the readers of the log back any more')
  }
}
