import pg from 'pg'
import { connectionFor, type Server } from './db.ts'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

export type SessionLock = { held(): boolean; release(): Promise<void> }
export type SessionLockOptions = {
  server: Server
  role: string
  name: string
  /** Tries this often while somebody else has it. */
  everyMs: number
  log: Log
  /** A holder that says nothing for so long is ended by whoever waits. */
  silentMs?: number
}

/** As long as the session of a Kafka group. A false alarm costs a change of hands, the cursor keeps effects single. */
const SILENT_MS = 10_000
const BEATS = 3

const TRY = 'select pg_try_advisory_lock(hashtextextended($1, 0)) as got'
/** The server's clock on both sides. Of a session that logged in as somebody else neither time nor end is ours to see. */
const END_SILENT = `select pg_terminate_backend(a.pid) from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_database where datname = current_database())
    and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($1, 0)
    and a.state_change < clock_timestamp() - make_interval(secs => $2::float8 / 1000)`

/**
 * Holds one named lock for as long as the connection lives: one active member per consumer group. A dead process frees
 * it at once. A frozen one keeps its connection, so the holder says something now and then, and who waits ends it.
 */
export function holdSessionLock(options: SessionLockOptions): SessionLock {
  const { server, role, name, everyMs, log, silentMs = SILENT_MS } = options
  const beatMs = silentMs / BEATS
  let client: pg.Client | undefined
  let held = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let lookedAt = 0

  async function attempt(): Promise<void> {
    try {
      client ??= await connect()
      if (!client) return
      if (held) await client.query('select 1')
      else {
        const { rows } = await client.query<{ got: boolean }>(TRY, [name])
        held = !stopped && (rows[0]?.got ?? false)
        if (!held) await endSilent(client)
      }
    } catch (error) {
      if (!stopped) log.debug('session lock failed', { name, error: messageOf(error) })
      if (client) drop(client)
    }
    again()
  }

  async function connect(): Promise<pg.Client | undefined> {
    // Whoever logs in with a URL may end its own sessions, but not once it became the role.
    const fresh = new pg.Client(connectionFor(server, 'url' in server ? undefined : role))
    fresh.on('error', () => drop(fresh))
    fresh.on('end', () => drop(fresh))
    await fresh.connect()
    // Released while this was connecting: nobody else would end the connection, and with it the lock.
    if (!stopped) return fresh
    await fresh.end()
    return undefined
  }

  async function endSilent(by: pg.Client): Promise<void> {
    if (performance.now() - lookedAt < beatMs) return
    lookedAt = performance.now()
    const { rowCount } = await by.query(END_SILENT, [name, silentMs])
    if (rowCount) log.warn('ended a session that held a lock and was silent', { name, silent_ms: silentMs })
  }

  function drop(which: pg.Client): void {
    if (client !== which) return
    client = undefined
    held = false
    which.end().catch(() => {})
    again()
  }

  function again(): void {
    if (stopped) return
    clearTimeout(timer)
    timer = setTimeout(() => void attempt(), held ? beatMs : everyMs)
  }

  void attempt()
  return {
    held: () => held,
    async release() {
      stopped = true
      held = false
      clearTimeout(timer)
      const last = client
      client = undefined
      await last?.end().catch(() => {})
    },
  }
}
