import { setTimeout } from 'node:timers/promises'
import { sqlState } from '../db.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

/** No fault of the event: nothing was done, and it comes again. */
export class NotNow extends Error {}
/** Another member moved the cursor; what this one did was rolled back. */
export class Fenced extends NotNow {}

type Attempt = (
  position: string,
  work: () => Promise<void>,
  giveUp: (error: unknown, attempts: number) => Promise<void>,
) => Promise<void>

export const BACKOFF_MS: readonly number[] = [50, 200, 800, 2_000, 5_000]

/**
 * Tries with waits between; what fails for good, or too often, is given to `giveUp` with the number of attempts. Rejects
 * with `NotNow` when it is stopped: nothing is given up on then, and the next process tries again.
 */
export function attempts(options: {
  backoffMs: readonly number[]
  log: Log
  signal: AbortSignal
  retrying: () => void
}): Attempt {
  const { backoffMs, log, signal, retrying } = options
  return async (position, work, giveUp) => {
    for (let tried = 0; ; tried++) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof NotNow) throw error
        if (signal.aborted) throw new NotNow('stopping')
        const wait = backoffMs[tried]
        if (wait === undefined || isFinal(error)) return giveUp(error, tried + 1)
        log.warn('event failed, trying again', { position, attempt: tried, error: messageOf(error) })
        retrying()
        await pause(wait * (0.5 + Math.random() / 2), signal)
      }
    }
  }
}

/** Ends at once when the consumer stops: nobody waits for the next attempt then. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {
    throw new NotNow('stopping')
  })
}

/** The code that a dead letter carries for an error. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'handler_failed'

/** Class 22 is data the database cannot take: it will not take it next time either. */
const isFinal = (error: unknown): boolean =>
  (error instanceof Error && 'retriable' in error && error.retriable === false) ||
  (sqlState(error)?.startsWith('22') ?? false)
