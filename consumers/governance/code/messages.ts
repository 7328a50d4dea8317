import type { Language } from '../shell-commands.ts'
import { type Token, tokensOf } from './tokens.ts'

// What is only shown to a person, and errors that are raised with a text.
const SHOWS =
  /^(?:print|pprint|puts|console\.\w{1,12}|log(?:ger|ging)?\.\w{1,12}|warnings\.warn|sys\.std(?:out|err)\.write|process\.std(?:out|err)\.write|click\.echo|core\.(?:info|debug|warning|error|notice|setFailed)|[\w.]{0,40}(?:Error|Exception)|[\w.]{0,40}ArgumentParser|[\w.]{0,40}add_argument|describe|it|test)$/
const TOLD = /^(?:help|description|usage|epilog|message|title|label|summary|prog)$/
const COMMANDS = /^(?:write-(?:host|output|verbose|warning|error|information|debug))$/i

/** The program with texts blanked that it only shows: messages, errors, help. Of the same length. */
export function withoutMessages(text: string, language: Language): string {
  const tokens = tokensOf(text, language)
  const blanked: Token[] = []
  const open: boolean[] = []
  tokens.forEach((token, index) => {
    const before = tokens[index - 1]
    if (token.type === 'sign' && /^[([{]$/.test(token.text))
      open.push(token.text === '(' && SHOWS.test(pathBefore(tokens, index)))
    else if (token.type === 'sign' && /^[)\]}]$/.test(token.text)) open.pop()
    if (token.type !== 'text' || token.holes.length > 0) return
    const told = before?.text === '=' && TOLD.test(tokens[index - 2]?.text ?? '')
    const after = tokens[index + 1]
    const used = after?.type === 'sign' && /^(?:[.[]|\?\.)$/.test(after.text)
    if (((open.at(-1) === true && !used) || told || COMMANDS.test(before?.text ?? '')) && token.end - token.start > 2)
      blanked.push(token)
  })
  let quiet = ''
  let at = 0
  for (const { start, end } of blanked) {
    quiet += text.slice(at, start + 1) + text.slice(start + 1, end - 1).replace(/[^\n]/g, ' ')
    at = end - 1
  }
  return quiet + text.slice(at)
}

function pathBefore(tokens: readonly Token[], index: number): string {
  let path = ''
  for (let at = index - 1; at >= 0 && at > index - 8; at -= 1) {
    const token = tokens[at]
    const joins = token?.text === '.'
    if (
      token === undefined ||
      (!joins && token.type !== 'name') ||
      (token.type === 'name' && path !== '' && !path.startsWith('.'))
    )
      break
    path = token.text + path
  }
  return path
}
