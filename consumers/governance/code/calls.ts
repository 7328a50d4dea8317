import { type Call, canonical, endBefore, hand, MOST_CALLS, type Reader } from './cursor.ts'
import { folded, isDecoding } from './folding.ts'
import { allIn, madeOf, named, unknown, type Value } from './values.ts'

const LOADS = /^(?:__import__|importlib\.import_module|importlib\.__import__|require|import)$/
const PICKS = /^(?:getattr|Reflect\.get)$/
// What these are given a function for, they call it with what they fetched or hold.
const CALLS_BACK = /(?:^|\.)(?:get|request|then|on|once|forEach|map|fetch|finally|catch|pipe|readFile)$/

/** What a call answers; the place is before its arguments, which `list` reads. */
export function answered(r: Reader, callee: Value, receiver: Value | null, start: number, list: () => Value[]): Value {
  r.at += 1
  const name = canonical(r, callee.path ?? (receiver === null ? '' : `().${r.tokens[r.at - 2]?.text ?? ''}`))
  const outer = r.callback
  r.callback = CALLS_BACK.test(name) ? calledBackWith(r, name, receiver, start) : null
  const args = list()
  const fields = r.fields
  r.callback = outer
  return answerOf(r, { name, args, named: fields, receiver, start, end: endBefore(r) })
}

function calledBackWith(r: Reader, name: string, receiver: Value | null, start: number): Value {
  const held = receiver === null ? unknown() : { ...madeOf(allIn(receiver)), mixed: false }
  const call: Call = { name, args: [], named: new Map(), receiver, start, end: start }
  return { ...held, ...r.hooks.onCall?.(call) }
}

/** What is known of the answer of a call: its text when it can be worked out, and what went into it. */
export function answerOf(r: Reader, call: Call): Value {
  const { name, args, receiver } = call
  const [first, second] = args
  if (LOADS.test(name) && first?.text != null) return named(canonical(r, first.text))
  if (PICKS.test(name) && first?.path != null && second?.text != null)
    return named(canonical(r, `${first.path}.${second.text}`))
  if (/^(?:globals|locals|vars)$/.test(name)) return named(first?.path ?? 'globalThis')
  if (name === 'sys.modules.get' && first?.text != null) return named(canonical(r, first.text))
  if (r.calls.length < MOST_CALLS) r.calls.push(call)
  const own = r.functions.get(name)
  own?.forEach((parameter, index) => {
    const value = args[index] ?? call.named.get(parameter)
    if (value !== undefined) hand(r, `${name} ${parameter}`, value)
  })
  const given = [...args, ...call.named.values(), ...(receiver === null ? [] : [receiver])]
  const back = own === undefined ? undefined : r.handed.get(`${name}()`)
  const content = madeOf([...given.flatMap((value) => allIn(value)), ...(back === undefined ? [] : [back])])
  return {
    ...content,
    path: name === '' ? null : `${name}()`,
    text: folded(name, args, receiver),
    mixed: receiver?.mixed ?? false,
    decoded: content.decoded || isDecoding(name, args),
    file: receiver?.file ?? null,
    ...r.hooks.onCall?.(call),
  }
}
