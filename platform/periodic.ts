import type { Activity } from './activity.ts'
import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

export type Periodic = { stop(): Promise<void> }
/** For work that answers how much it found: after 0 it rests `idleMs`, unless something happens here meanwhile. */
export type Quiet = { idleMs: number; activity: Activity }

/** Runs `work` now and then, the next time `everyMs` after it ended: never twice at once, and never on after `stop`. */
export function runPeriodically(
  name: string,
  everyMs: number,
  work: () => Promise<unknown>,
  log: Log,
  quiet?: Quiet,
): Periodic {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  /** Something happened since the work began: what it looked at may be older than that. */
  let stirred = false
  /** Since when it rests for longer than `everyMs`; null while it works or is due anyway. */
  let restsSince: number | null = null

  async function once(): Promise<void> {
    let found: unknown
    stirred = false
    restsSince = null
    try {
      found = await work()
    } catch (error) {
      if (!stopped) log.warn('periodic work failed', { name, error: messageOf(error) })
    }
    if (stopped) return
    const idle = quiet !== undefined && found === 0 && !stirred
    restsSince = idle ? performance.now() : null
    timer = setTimeout(begin, idle ? quiet.idleMs : everyMs)
  }
  function begin() {
    running = once()
  }
  const unfollow = quiet?.activity.follow(() => {
    stirred = true
    if (restsSince === null || stopped) return
    clearTimeout(timer)
    timer = setTimeout(begin, Math.max(0, restsSince + everyMs - performance.now()))
    restsSince = null
  })

  begin()
  return {
    stop() {
      stopped = true
      unfollow?.()
      clearTimeout(timer)
      return running
    },
  }
}
