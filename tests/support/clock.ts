import type { Clock } from '../../platform/clock.ts'

export type TestClock = Clock & { set(time: string): void; advance(ms: number): void }

/** A clock that stands still until it is moved. */
export function testClock(start: string): TestClock {
  let at = new Date(start).getTime()
  return Object.assign(() => new Date(at), {
    set: (time: string) => {
      at = new Date(time).getTime()
    },
    advance: (ms: number) => {
      at += ms
    },
  })
}
