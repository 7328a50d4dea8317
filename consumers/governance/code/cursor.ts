import type { Language } from '../shell-commands.ts'
import { canonicalName } from './names.ts'
import type { Token } from './tokens.ts'
import { madeOf, type Value } from './values.ts'

/** One call: its name after aliases are resolved (`subprocess.run`), what it is given, and where it stands in the text. */
export type Call = {
  name: string
  args: Value[]
  named: Map<string, Value>
  receiver: Value | null
  start: number
  end: number
}
/** What a reader of a program may add to the values: what a name from outside brings in and what a call answers. */
export type Hooks = {
  onName?: (path: string, start: number, end: number) => Partial<Value> | null
  onCall?: (call: Call) => Partial<Value> | null
  onStore?: (path: string, value: Value) => void
}
export type Edit = { start: number; end: number; text: string }

/**
 * The state of reading one program. `known` are its variables, `functions` the parameters of its own functions,
 * `handed` what these were given and answered (kept from one round to the next), `callback` what a function written as
 * an argument is called with. `target` is the name that the last expression consisted of, `fields` the named arguments
 * of the last list.
 */
export type Reader = {
  tokens: readonly Token[]
  source: string
  language: Language
  hooks: Hooks
  at: number
  depth: number
  known: Map<string, Value>
  functions: Map<string, string[]>
  handed: Map<string, Value>
  inFunction: string
  callback: Value | null
  target: string | null
  fields: Map<string, Value>
  calls: Call[]
  edits: Edit[]
}

export const MOST_CALLS = 2000
export const MOST_DEPTH = 40
const MOST_HANDED = 500

export const tokenAt = (r: Reader, ahead = 0): Token | undefined => r.tokens[r.at + ahead]
/** True when the sign stands at the current place. */
export const is = (r: Reader, text: string, ahead = 0): boolean => {
  const token = tokenAt(r, ahead)
  return token?.type === 'sign' && token.text === text
}
/** The name at the current place, or null when something else stands there. */
export const wordAt = (r: Reader, ahead = 0): string | null => {
  const token = tokenAt(r, ahead)
  return token?.type === 'name' ? token.text : null
}
export const more = (r: Reader): boolean => r.at < r.tokens.length
export const atEnd = (r: Reader): boolean => !more(r) || tokenAt(r)?.type === 'end'
/** Where the token before the current one ends. */
export const endBefore = (r: Reader): number => r.tokens[r.at - 1]?.end ?? 0

/** Names of PowerShell are the same in any case and with braces. */
export const keyOf = (r: Reader, name: string): string =>
  r.language === 'powershell' ? name.replace(/^\$\{?|\}$/g, '').toLowerCase() : name

/** Notes that a part of the text says `text` in other words. */
export function edit(r: Reader, start: number, end: number, text: string): void {
  if (end > start && r.source.slice(start, end) !== text && r.edits.length < MOST_CALLS)
    r.edits.push({ start, end, text })
}

/** Adds to what a function of the program was given or answered. */
export function hand(r: Reader, name: string, value: Value): void {
  const before = r.handed.get(name)
  if (before === undefined && r.handed.size >= MOST_HANDED) return
  r.handed.set(name, before === undefined || before === value ? value : { ...madeOf([before, value]), mixed: false })
}

export const canonical = (r: Reader, path: string): string => canonicalName(path, r.language)
