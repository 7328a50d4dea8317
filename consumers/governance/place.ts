import type { Fact } from './facts.ts'
import type { TextRange } from './shell.ts'

/** Where something stands: the value at a JSON Pointer and, when the value shows it, the part of that value. */
export type Place = { pointer: string; range: TextRange | null }

/** A place in a fact; `range` counts in the fact's own text. */
export const placeIn = (fact: Fact, range: TextRange | null): Place => ({
  pointer: fact.pointer,
  range:
    range === null || fact.offset === null ? null : { start: range.start + fact.offset, end: range.end + fact.offset },
})

/** The whole text of a fact. */
export const wholeOf = (fact: Fact): Place => placeIn(fact, { start: 0, end: fact.text.length })
