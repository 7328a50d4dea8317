import { answerOf } from './calls.ts'
import { atEnd, canonical, endBefore, is, MOST_DEPTH, type Reader, tokenAt, wordAt } from './cursor.ts'
import { primary } from './expressions.ts'
import { codePoint } from './tokens.ts'
import { literal, madeOf, unknown, type Value } from './values.ts'

/** True for a word that joins two values: `-join`, `-f`, `-eq` and their kind. */
export const isPowershellOperator = (text: string): boolean =>
  /^-(?:join|f|eq|ne|gt|lt|ge|le|and|or|not|match|notmatch|replace|split|like|notlike|contains|in|bxor|band|as|is)$/i.test(
    text,
  ) ||
  /^(?:if|else|elseif|while|for|foreach|do|try|catch|finally|switch|return|throw|in|param|process|begin|end)$/i.test(
    text,
  )

/** A command takes its arguments without brackets; `input` is what a pipe hands it. The place is behind its name. */
export function commandAt(r: Reader, name: string, start: number, input: Value | null = null): Value {
  const args: Value[] = input === null ? [] : [input]
  if (r.depth >= MOST_DEPTH) return madeOf(args)
  r.depth += 1
  const given = new Map<string, Value>()
  let flag: string | null = null
  while (!atEnd(r) && !/^[|)\]};]$/.test(tokenAt(r)?.text ?? '')) {
    const before = r.at
    const word = wordAt(r)
    if (word?.startsWith('-')) {
      if (/^-(?:join|f)$/i.test(word)) break
      if (flag !== null) given.set(flag, unknown())
      flag = word.slice(1).toLowerCase()
      r.at += 1
      continue
    }
    const value = (word !== null && !word.startsWith('$')) || startsPath(r) ? bare(r) : primary(r)
    if (r.at === before) r.at += 1
    if (flag !== null) given.set(flag, value)
    else args.push(value)
    flag = null
    if (is(r, ',')) r.at += 1
  }
  if (flag !== null) given.set(flag, unknown())
  r.depth -= 1
  if (name === 'new-object') {
    const type = args[0]?.text ?? given.get('typename')?.text ?? ''
    return { ...madeOf(args), path: canonical(r, type) }
  }
  return answerOf(r, { name, args, named: given, receiver: input, start, end: endBefore(r) })
}

const startsPath = (r: Reader): boolean =>
  tokenAt(r)?.type === 'sign' && /^[~./\\*%]$/.test(tokenAt(r)?.text ?? '') && tokenAt(r, 1)?.start === tokenAt(r)?.end

/** A bare word of a command with the signs that belong to it: `C:\a\b.exe`, `https://x/y`. */
function bare(r: Reader): Value {
  const start = tokenAt(r)?.start ?? 0
  r.at += 1
  while (!atEnd(r) && tokenAt(r)?.start === endBefore(r) && !/^[|)(}{,]$/.test(tokenAt(r)?.text ?? '')) r.at += 1
  return literal(r.source.slice(start, endBefore(r)))
}

/** What a pipe hands to the command behind it. */
export function pipedInto(r: Reader, input: Value): Value {
  const first = tokenAt(r)
  if (first === undefined) return input
  if (first.type === 'name' && !first.text.startsWith('$')) {
    r.at += 1
    return commandAt(r, canonical(r, first.text), first.start, input)
  }
  if (!is(r, '&') && !is(r, '.')) return input
  r.at += 1
  const callee = primary(r)
  return callee.text === null ? madeOf([input, callee]) : commandAt(r, canonical(r, callee.text), first.start, input)
}

/** `"{1}{0}" -f 'a','b'` and `'a','b' -join ''`; the place is behind the operator. */
export function operated(r: Reader, operator: string, left: Value | null): Value {
  const parts = [primary(r)]
  while (is(r, ',')) {
    r.at += 1
    parts.push(primary(r))
  }
  const texts = parts.map(({ text }) => text)
  if (operator === '-f' && left?.text != null && !texts.includes(null))
    return literal(left.text.replace(/\{(\d{1,2})\}/g, (_all, index: string) => texts[Number(index)] ?? ''))
  const items = left?.items ?? []
  if (operator === '-join' && items.length > 0 && items.every(({ text }) => text !== null))
    return literal(items.map(({ text }) => text).join(texts[0] ?? ''))
  return madeOf([...(left === null ? [] : [left]), ...parts])
}

/** `[Convert]` or `[char]` at the current place, which is stepped over, or null for a list. */
export function typeAt(r: Reader): string | null {
  let path = ''
  let ahead = 1
  while (wordAt(r, ahead) !== null || (is(r, '.', ahead) && path !== '')) {
    path += tokenAt(r, ahead)?.text ?? ''
    ahead += 1
  }
  if (path === '' || path.startsWith('$') || !is(r, ']', ahead)) return null
  r.at += ahead + 1
  return path
}

/** A value turned into a type: the character of a number. */
export const typed = (type: string, value: Value): Value =>
  /^char$/i.test(type) && value.text !== null && /^(?:0x[0-9a-f]+|\d+)$/i.test(value.text)
    ? literal(codePoint(Number(value.text)))
    : value
