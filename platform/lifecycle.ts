import { messageOf } from './errors.ts'
import type { Log } from './log.ts'

export type Closer = () => Promise<void> | void
export type Lifecycle = {
  /** Registers how to close what was just opened. */
  onClose(name: string, close: Closer): void
  /** Closes everything, last opened first; keeps going after a failure. Safe to call twice. */
  close(): Promise<void>
}

/** Whoever opens something says at that moment how it closes: no shutdown list to forget an entry in. */
export function createLifecycle(log: Log): Lifecycle {
  const closers: { name: string; close: Closer }[] = []
  let closing: Promise<void> | undefined

  async function closeAll(): Promise<void> {
    for (let entry = closers.pop(); entry; entry = closers.pop()) {
      try {
        await entry.close()
      } catch (error) {
        log.error('closing failed', { part: entry.name, error: messageOf(error) })
      }
    }
  }

  return {
    onClose(name, close) {
      closers.push({ name, close })
    },
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}
