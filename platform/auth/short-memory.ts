import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../clock.ts'

/** Every process follows a change within 5 s: this old may what is known be, and so long may asking anew take. */
const FRESH_MS = 2_000
const READ_MS = 1_000
const MOST = 10_000

/**
 * Remembers what `read` found for two seconds; what it did not find is asked for each time. Who asks at once shares one
 * reading. While it fails or is late, what was known goes on: on Kafka a report needs no database.
 */
export function rememberShortly<T>(
  read: (key: string) => Promise<T | undefined>,
  now: Clock,
): (key: string) => Promise<T | undefined> {
  type Known = { value: T; readAt: number }
  const known = new Map<string, Known>()
  const reading = new Map<string, Promise<T | undefined>>()

  async function readNow(key: string): Promise<T | undefined> {
    const readAt = now().getTime()
    const value = await read(key)
    known.delete(key)
    if (value === undefined) return undefined
    if (known.size >= MOST) known.delete(known.keys().next().value as string)
    known.set(key, { value, readAt })
    return value
  }

  function readOnce(key: string): Promise<T | undefined> {
    const running = reading.get(key) ?? readNow(key).finally(() => reading.delete(key))
    reading.set(key, running)
    return running
  }

  return async (key) => {
    const before = known.get(key)
    if (!before) return readOnce(key)
    if (now().getTime() - before.readAt < FRESH_MS) return before.value
    const late = pause(READ_MS, before.value, { ref: false })
    return Promise.race([readOnce(key).catch(() => before.value), late])
  }
}
