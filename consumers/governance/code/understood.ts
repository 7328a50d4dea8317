import { codeFlow } from '../flow/code-flow.ts'
import { noTaint } from '../flow/taint.ts'
import type { InlineCode } from '../shell-commands.ts'
import { withoutMessages } from './messages.ts'
import { startedBy } from './programs.ts'
import { plainly } from './reader.ts'
import { isReadable } from './tokens.ts'

const MOST_PIECES = 16
const MOST_NESTING = 3

/**
 * Code with what reading it tells: texts that are only shown are blanked, calls are listed, aliases and joined texts
 * written out in a second piece, and code that it runs from a known text follows as a piece of its own.
 */
export function understood(code: readonly InlineCode[]): InlineCode[] {
  const found: InlineCode[] = []
  const visit = (item: InlineCode, level: number): void => {
    if (found.length >= MOST_PIECES) return
    if (!isReadable(item.language)) {
      found.push(item)
      return
    }
    const text = withoutMessages(item.text, item.language)
    const { calls, edits, runs } = codeFlow({ ...item, text }, noTaint(), () => ({ pointer: '', range: null }))
    found.push({ ...item, text, calls, runs })
    const plain = plainly(text, edits)
    const whole = item.within ?? { start: 0, end: text.length }
    if (plain !== text) found.push({ language: item.language, text: plain, within: whole, rewritten: true })
    if (level >= MOST_NESTING) return
    for (const call of calls) {
      for (const inner of startedBy(call, item.language)) {
        if (inner.language !== 'shell')
          visit({ ...inner, within: item.within ?? { start: call.start, end: call.end } }, level + 1)
      }
    }
  }
  for (const item of code) visit(item, 0)
  return found
}
