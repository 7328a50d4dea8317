import type { Clock } from '../clock.ts'
import type { Db } from '../db.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { stopLimit } from './stop-limit.ts'

export type GroupStop = {
  /** Counts events; too many failures stop the group, in every process. */
  applied(events: number): void
  failed(): Promise<void>
  /** Why the group is stopped, or null. */
  reason(): string | null
  /** Sees what other processes and people did: stopped the group, or let it go on. */
  follow(): Promise<void>
  /** Resolves when the group may go on; false when it still may not after `ms`. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>
}

/** A group stops by a row in the database, and goes on when that is removed; a process that starts removes it. */
export async function openGroupStop(
  db: Db,
  group: string,
  { log, metrics, now }: { log: Log; metrics: Metrics; now: Clock },
): Promise<GroupStop> {
  const limit = stopLimit()
  const gauge = metrics.gauge('atom_consumer_stopped', '1 while a group is stopped because too much failed', ['group'])
  const waiting = new Set<() => void>()
  let stopped: string | null = null
  let changes = 0
  await db.query('delete from platform.group_stops where consumer_group = ?', [group])
  gauge.set({ group }, 0)

  function become(reason: string | null): void {
    if (stopped === reason) return
    stopped = reason
    gauge.set({ group }, reason === null ? 0 : 1)
    changes += 1
    if (reason !== null) log.error('group stopped', { reason })
    else {
      limit.reset()
      log.info('group goes on')
      for (const go of waiting) go()
    }
  }

  return {
    applied(events) {
      for (let n = 0; n < events; n++) limit.note(false)
    },
    async failed() {
      const reason = limit.note(true)
      if (reason === null || stopped !== null) return
      const sql = 'insert into platform.group_stops values (?, ?, ?) on conflict do nothing'
      await db.query(sql, [group, reason, now()])
      become(reason)
    },
    reason: () => stopped,
    async follow() {
      const before = changes
      const sql = 'select reason from platform.group_stops where consumer_group = ?'
      const [found] = await db.query<{ reason: string }>(sql, [group])
      // Stopped by this process while the question was under way: the answer is older than that.
      if (changes === before) become(found?.reason ?? null)
    },
    wait(ms, signal) {
      if (stopped === null) return Promise.resolve(true)
      return new Promise((resolve) => {
        const timer = setTimeout(done, ms)
        function done() {
          clearTimeout(timer)
          waiting.delete(done)
          signal.removeEventListener('abort', done)
          resolve(stopped === null)
        }
        waiting.add(done)
        signal.addEventListener('abort', done)
      })
    },
  }
}
