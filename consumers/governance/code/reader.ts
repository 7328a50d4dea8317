import type { Language } from '../shell-commands.ts'
import { atEnd, type Call, type Edit, type Hooks, more, type Reader } from './cursor.ts'
import { statement } from './statements.ts'
import { tokensOf } from './tokens.ts'
import type { Value } from './values.ts'

/** A program read: its calls in order, and the parts of its text that say something in another way than plainly. */
export type Reading = { calls: Call[]; edits: Edit[] }

/**
 * Reads a program in its order and resolves aliases, joined texts and what functions hand on; what it does not know it
 * steps over. A second round is read when the program hands something to its own functions, which may stand before the
 * call. It never throws and never runs anything.
 */
export function readCode(source: string, language: Language, hooks: Hooks = {}): Reading {
  const tokens = tokensOf(source, language)
  const handed = new Map<string, Value>()
  let reader = readOnce(tokens, source, language, hooks, handed)
  if (handed.size > 0) reader = readOnce(tokens, source, language, hooks, handed)
  return { calls: reader.calls, edits: reader.edits }
}

function readOnce(
  tokens: Reader['tokens'],
  source: string,
  language: Language,
  hooks: Hooks,
  handed: Map<string, Value>,
): Reader {
  const r: Reader = {
    tokens,
    source,
    language,
    hooks,
    handed,
    at: 0,
    depth: 0,
    known: new Map(),
    functions: new Map(),
    inFunction: '',
    callback: null,
    target: null,
    fields: new Map(),
    calls: [],
    edits: [],
  }
  while (more(r)) {
    const before = r.at
    if (!atEnd(r)) statement(r)
    // Whatever the grammar does not know is stepped over.
    if (r.at === before) r.at += 1
  }
  return r
}

/** The text with its edits made: aliases by their full names, joined and decoded texts in one piece. */
export function plainly(source: string, edits: readonly Edit[]): string {
  let text = ''
  let at = 0
  for (const { start, end, text: better } of [...edits].sort((a, b) => a.start - b.start || b.end - a.end)) {
    // Inside of what was replaced already.
    if (start < at) continue
    text += source.slice(at, start) + better
    at = end
  }
  return text + source.slice(at)
}
