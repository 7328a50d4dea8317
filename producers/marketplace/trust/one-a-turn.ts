import { setImmediate } from 'node:timers/promises'

let begun: Promise<unknown> = Promise.resolve()

/**
 * Begins pieces of work in different turns of the event loop. One bundle takes up to 9 ms of a core; several that come to
 * the same turn would keep everybody else waiting for all of them.
 */
export function oneATurn<T>(work: () => Promise<T>): Promise<T> {
  begun = begun.then(() => setImmediate())
  return begun.then(work)
}
