import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

export type Periodic = { stop(): Promise<void> }

/** Runs `work` now and then, the next time `everyMs` after it ended: never twice at once, and never on after `stop`. */
export function runPeriodically(name: string, everyMs: number, work: () => Promise<unknown>, log: Log): Periodic {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  async function once(): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!stopped) log.warn('periodic work failed', { name, error: messageOf(error) })
    }
    if (!stopped) timer = setTimeout(begin, everyMs)
  }
  function begin() {
    running = once()
  }

  begin()
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
      return running
    },
  }
}
