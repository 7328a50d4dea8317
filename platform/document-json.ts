import { DocumentError, type DocumentLimits, FORBIDDEN_KEYS, placeOf, pointerStep } from './document-problem.ts'

type Level = { keys: Set<string> | null; step: string | number; expectKey: boolean }

/**
 * Reads JSON text. JSON.parse keeps the last of two equal keys without a word, so a first pass over the text finds
 * depth, node count, double and forbidden keys; the syntax itself stays with JSON.parse.
 */
export function parseJsonText(text: string, limits: DocumentLimits): unknown {
  scan(text, limits)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DocumentError('document_syntax', `not valid JSON: ${syntaxDetail(text, error)}`)
  }
  // A number such as 1e999 reads as Infinity, which no later JSON text can carry.
  if (/[0-9][eE]\+?[0-9]{3}|[0-9]{300}/.test(text)) refuseInfinite(value, '')
  return value
}

const INTERESTING = /["{}[\],:]/g
const STRING_END = /["\\\n]/g

function scan(text: string, limits: DocumentLimits): void {
  const stack: Level[] = []
  let nodes = 0
  let at = 0
  for (;;) {
    INTERESTING.lastIndex = at
    const found = INTERESTING.exec(text)
    if (found === null) return
    at = found.index + 1
    const top = stack.at(-1)
    switch (found[0]) {
      case '{':
      case '[': {
        nodes += 1
        if (stack.length >= limits.maxDepth) {
          throw new DocumentError('document_too_deep', `nested deeper than ${limits.maxDepth} levels`, pointerOf(stack))
        }
        const isObject = found[0] === '{'
        stack.push({ keys: isObject ? new Set() : null, step: isObject ? '' : 0, expectKey: isObject })
        break
      }
      case '}':
      case ']':
        stack.pop()
        break
      case ',':
        nodes += 1
        if (top === undefined) break
        if (top.keys === null && typeof top.step === 'number') top.step += 1
        else top.expectKey = true
        break
      case '"': {
        const end = endOfString(text, at)
        if (end === -1) return // an unfinished string: JSON.parse names the place
        if (top?.keys != null && top.expectKey) takeKey(text.slice(at - 1, end), top, stack)
        at = end
        break
      }
    }
    if (nodes > limits.maxNodes) {
      throw new DocumentError('document_too_many_nodes', `more than ${limits.maxNodes} values`)
    }
  }
}

function endOfString(text: string, start: number): number {
  STRING_END.lastIndex = start
  for (let hit = STRING_END.exec(text); hit !== null; hit = STRING_END.exec(text)) {
    if (hit[0] === '"') return hit.index + 1
    if (hit[0] === '\n') return -1
    STRING_END.lastIndex = hit.index + 2
  }
  return -1
}

function takeKey(quoted: string, level: Level, stack: readonly Level[]): void {
  let key: string
  try {
    key = JSON.parse(quoted) as string
  } catch {
    return // a broken escape: JSON.parse of the whole names the place
  }
  level.expectKey = false
  level.step = key
  if (FORBIDDEN_KEYS.has(key)) {
    throw new DocumentError('document_forbidden_key', `the key "${key}" is not allowed`, pointerOf(stack))
  }
  if (level.keys?.has(key)) {
    throw new DocumentError('document_duplicate_key', `the key "${key.slice(0, 64)}" stands twice`, pointerOf(stack))
  }
  level.keys?.add(key)
}

const pointerOf = (stack: readonly Level[]): string => stack.map((level) => pointerStep(level.step)).join('')

function syntaxDetail(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const position = /at position (\d+)/.exec(message)?.[1]
  // Node's message quotes a part of the text; only the position is passed on.
  const offset = position === undefined ? text.length : Number(position)
  return `unexpected text at ${placeOf(text, offset)}`
}

function refuseInfinite(value: unknown, pointer: string): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new DocumentError('document_number_not_finite', 'the number is too large', pointer)
  }
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      refuseInfinite(item, pointer + pointerStep(index))
    })
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) refuseInfinite(item, pointer + pointerStep(key))
  }
}
