import type { Trace } from '../flow/taint.ts'

/**
 * What is known of a value without running anything. `path` names it when it comes from outside the program
 * (`os.environ`, `requests.Session()`), `text` is its content when that is written there. The rest says what went into
 * it: secret content, the name of one secret, what a network answered, what was decoded. `mixed` when it was put together.
 */
export type Value = {
  path: string | null
  text: string | null
  items: Value[]
  named: Map<string, Value>
  trace: Trace | null
  secret: string | null
  fetched: string | null
  decoded: boolean
  mixed: boolean
  /** How a text begins whose rest is not known. */
  hint: string | null
  /** The file that a handle writes to. */
  file: string | null
}

const EMPTY: readonly Value[] = []

export const unknown = (): Value => ({
  path: null,
  text: null,
  items: EMPTY as Value[],
  named: new Map(),
  trace: null,
  secret: null,
  fetched: null,
  decoded: false,
  mixed: false,
  hint: null,
  file: null,
})

export const literal = (text: string): Value => ({ ...unknown(), text })
export const named = (path: string): Value => ({ ...unknown(), path })

/** What goes into a value that is made of others: nothing of their form, all of their content. */
export function madeOf(values: readonly Value[]): Value {
  const made = unknown()
  for (const value of values) {
    made.trace ??= value.trace
    made.secret ??= value.secret
    made.fetched ??= value.fetched
    made.decoded ||= value.decoded
  }
  made.mixed = values.length > 1
  return made
}

/** A value with everything that it holds: the elements of lists and the values of objects too, two levels down. */
export const allIn = (value: Value, level = 0): Value[] =>
  level > 2
    ? [value]
    : [value, ...[...value.items, ...value.named.values()].slice(0, 100).flatMap((inner) => allIn(inner, level + 1))]
