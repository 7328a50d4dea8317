import pg from 'pg'
import { connectionFor, type Server } from './db.ts'

export type SessionLock = { held(): boolean; release(): Promise<void> }

/**
 * Holds one named lock for as long as the connection lives: one active member per consumer group.
 * A dead process frees it at once. Tries every `everyMs` while somebody else has it.
 */
export function holdSessionLock(server: Server, role: string, name: string, everyMs: number): SessionLock {
  let client: pg.Client | undefined
  let held = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  async function attempt(): Promise<void> {
    try {
      if (!client) {
        const fresh = new pg.Client(connectionFor(server, role))
        fresh.on('error', () => drop(fresh))
        fresh.on('end', () => drop(fresh))
        await fresh.connect()
        // Released while this was connecting: nobody else would end the connection, and with it the lock.
        if (stopped) return void (await fresh.end())
        client = fresh
      }
      const { rows } = await client.query<{ got: boolean }>(
        'select pg_try_advisory_lock(hashtextextended($1, 0)) as got',
        [name],
      )
      held = !stopped && (rows[0]?.got ?? false)
    } catch {
      if (client) drop(client)
    }
    if (!held) again()
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
    timer = setTimeout(() => void attempt(), everyMs)
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
