/** A small seeded generator (mulberry32): the same seed gives the same samples on every machine. */
export type Random = {
  next: () => number
  pick: <T>(items: readonly T[]) => T
  chance: (share: number) => boolean
  text: (alphabet: string, length: number) => string
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(next() * items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
  return {
    next,
    pick,
    chance: (share) => next() < share,
    text: (alphabet, length) => Array.from({ length }, () => pick([...alphabet])).join(''),
  }
}
