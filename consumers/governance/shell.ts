/** A word after quote removal; expansions stay as written. `quoted` is true when any part stood in quotes. */
export type Word = { text: string; quoted: boolean; substitutions: Script[]; processes: Script[] }
export type Redirect = { op: string; target: Word }
export type Command = { words: Word[]; assignments: Word[]; redirects: Redirect[]; heredoc: string | null }
/** Commands joined by pipes, first to last. */
export type Pipeline = Command[]
export type Script = Pipeline[]
export type TextRange = { start: number; end: number }

type Reader = {
  text: string
  at: number
  depth: number
  script: Script
  pipeline: Pipeline
  command: Command
  groups: number[]
  comments: TextRange[]
  heredocs: { delimiter: string; dash: boolean; command: Command }[]
}

const MAX_NESTING = 5
const LEADING_KEYWORDS = new Set(['if', 'then', 'elif', 'else', 'while', 'until', 'do', '!', 'time'])
const REDIRECT = /(?:[0-9]{1,3}|&)?(?:<<<|<<-|<<|<&|<>|>>|>&|>\||<|>)/y
const PLAIN = /[^\s;&|()<>'"`$\\]+/y

/**
 * Reads a shell script into its commands. It never throws: what it cannot understand ends up as words. Quoted text
 * and comments are told from code, which is what the rules need; arithmetic, `case` and `[[` are read as plain words.
 * The places of comments are added to `comments`.
 */
export function parseShell(text: string, depth = 0, comments: TextRange[] = []): Script {
  const reader: Reader = {
    text,
    at: 0,
    depth,
    script: [],
    pipeline: [],
    command: emptyCommand(),
    groups: [],
    comments,
    heredocs: [],
  }
  while (reader.at < text.length) step(reader)
  endPipeline(reader)
  return reader.script
}

const emptyCommand = (): Command => ({ words: [], assignments: [], redirects: [], heredoc: null })

function step(reader: Reader): void {
  const { text } = reader
  const char = text[reader.at]
  if (char === ' ' || char === '\t' || char === '\r') reader.at += 1
  else if (char === '\\' && text[reader.at + 1] === '\n') reader.at += 2
  else if (char === '\n') newline(reader)
  else if (char === '#') comment(reader)
  else if (isRedirect(reader)) redirect(reader)
  else if (char === '|' && text[reader.at + 1] !== '|') {
    endCommand(reader)
    reader.at += text[reader.at + 1] === '&' ? 2 : 1
  } else if (char === ';' || char === '&' || char === '|') {
    endPipeline(reader)
    reader.at += 1
  } else if (char === '(') {
    endPipeline(reader)
    reader.groups.push(reader.script.length)
    reader.at += 1
  } else if (char === ')') {
    reader.at += 1
    closeGroup(reader)
  } else addWord(reader, readWord(reader))
}

function comment(reader: Reader): void {
  const end = endOfLine(reader.text, reader.at)
  reader.comments.push({ start: reader.at, end })
  reader.at = end
}

function newline(reader: Reader): void {
  reader.at += 1
  endPipeline(reader)
  for (const { delimiter, dash, command } of reader.heredocs.splice(0)) {
    const lines: string[] = []
    while (reader.at < reader.text.length) {
      const end = endOfLine(reader.text, reader.at)
      const line = reader.text.slice(reader.at, end)
      reader.at = Math.min(end + 1, reader.text.length)
      if ((dash ? line.trimStart() : line) === delimiter) break
      lines.push(line)
    }
    command.heredoc = lines.join('\n')
  }
}

const endOfLine = (text: string, from: number): number => {
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}

function isRedirect(reader: Reader): boolean {
  REDIRECT.lastIndex = reader.at
  const found = REDIRECT.exec(reader.text)?.[0]
  if (found === undefined) return false
  const isProcess = (found === '<' || found === '>') && reader.text[reader.at + 1] === '('
  return !isProcess
}

function redirect(reader: Reader): void {
  REDIRECT.lastIndex = reader.at
  const op = REDIRECT.exec(reader.text)?.[0] ?? ''
  reader.at += op.length
  while (reader.text[reader.at] === ' ' || reader.text[reader.at] === '\t') reader.at += 1
  const target = readWord(reader)
  reader.command.redirects.push({ op, target })
  const dash = op.endsWith('<<-')
  if (dash || (op.endsWith('<<') && !op.endsWith('<<<'))) {
    reader.heredocs.push({ delimiter: target.text, dash, command: reader.command })
  }
}

function addWord(reader: Reader, word: Word): void {
  const { command } = reader
  if (command.words.length === 0 && !word.quoted) {
    if (LEADING_KEYWORDS.has(word.text)) return
    if (word.text === '{') {
      reader.groups.push(reader.script.length)
      return
    }
    if (word.text === '}') {
      closeGroup(reader)
      return
    }
    if (/^[A-Za-z_]\w*\+?=/.test(word.text)) {
      command.assignments.push(word)
      return
    }
  } else if (command.words.length === 0 && /^[A-Za-z_]\w*\+?=/.test(word.text)) {
    command.assignments.push(word)
    return
  }
  command.words.push(word)
}

function endCommand(reader: Reader): void {
  const { command } = reader
  if (command.words.length + command.assignments.length + command.redirects.length > 0) reader.pipeline.push(command)
  reader.command = emptyCommand()
}

function endPipeline(reader: Reader): void {
  endCommand(reader)
  if (reader.pipeline.length > 0) reader.script.push(reader.pipeline)
  reader.pipeline = []
}

/** `(a; b) | c` and `{ a; b; } | c`: everything in the group feeds what follows, so it becomes one pipeline. */
function closeGroup(reader: Reader): void {
  endPipeline(reader)
  const start = reader.groups.pop()
  if (start === undefined) return
  const rest = /[ \t]*\|(?!\|)/y
  rest.lastIndex = reader.at
  if (rest.test(reader.text)) reader.pipeline = reader.script.splice(start).flat()
}

function readWord(reader: Reader): Word {
  const word: Word = { text: '', quoted: false, substitutions: [], processes: [] }
  const { text } = reader
  const start = reader.at
  while (reader.at < text.length) {
    PLAIN.lastIndex = reader.at
    const plain = PLAIN.exec(text)?.[0]
    if (plain !== undefined) {
      word.text += plain
      reader.at += plain.length
      continue
    }
    const char = text[reader.at]
    if (char === "'") singleQuoted(reader, word)
    else if (char === '"') doubleQuoted(reader, word)
    else if (char === '\\') {
      if (text[reader.at + 1] !== '\n') word.text += text[reader.at + 1] ?? ''
      reader.at += 2
    } else if (char === '$' || char === '`') expansion(reader, word)
    else if ((char === '<' || char === '>') && text[reader.at + 1] === '(' && reader.at === start) {
      word.processes.push(...nested(reader, reader.at + 2, ')'))
      word.text += '<()'
    } else break
  }
  if (reader.at === start) reader.at += 1 // a stray operator in a redirect's place
  return word
}

function singleQuoted(reader: Reader, word: Word): void {
  const end = reader.text.indexOf("'", reader.at + 1)
  const stop = end === -1 ? reader.text.length : end
  word.text += reader.text.slice(reader.at + 1, stop)
  word.quoted = true
  reader.at = stop + 1
}

function doubleQuoted(reader: Reader, word: Word): void {
  const { text } = reader
  word.quoted = true
  reader.at += 1
  while (reader.at < text.length && text[reader.at] !== '"') {
    const char = text[reader.at]
    if (char === '\\') {
      if (text[reader.at + 1] !== '\n') word.text += text[reader.at + 1] ?? ''
      reader.at += 2
    } else if (char === '$' || char === '`') expansion(reader, word)
    else {
      const run = /[^"\\$`]+/y
      run.lastIndex = reader.at
      const piece = run.exec(text)?.[0] ?? ''
      word.text += piece
      reader.at += piece.length
    }
  }
  reader.at += 1
}

function expansion(reader: Reader, word: Word): void {
  const { text, at } = reader
  const next = text[at + 1]
  if (text[at] === '`') {
    const end = text.indexOf('`', at + 1)
    const stop = end === -1 ? text.length : end
    pushNested(reader, word, text.slice(at + 1, stop))
    reader.at = stop + 1
  } else if (next === '(') {
    word.substitutions.push(...nested(reader, at + 2, ')'))
    word.text += '$()'
  } else if (next === "'") {
    const end = /'((?:[^'\\]|\\[\s\S])*)'?/y
    end.lastIndex = at + 1
    const body = end.exec(text)
    word.text += unescapeAnsi(body?.[1] ?? '')
    word.quoted = true
    reader.at = at + 1 + (body?.[0].length ?? 1)
  } else if (next === '{') {
    const close = text.startsWith('${{', at) ? '}}' : '}'
    const end = text.indexOf(close, at)
    const stop = end === -1 ? text.length : end + close.length
    word.text += text.slice(at, stop)
    reader.at = stop
  } else {
    word.text += '$'
    reader.at = at + 1
  }
}

function pushNested(reader: Reader, word: Word, body: string): void {
  word.text += '$()'
  if (reader.depth < MAX_NESTING) word.substitutions.push(parseShell(body, reader.depth + 1))
}

/** The script between `from` and its matching parenthesis; moves the reader behind it. */
function nested(reader: Reader, from: number, close: string): Script[] {
  const end = matching(reader.text, from, close)
  const body = reader.text.slice(from, end)
  reader.at = end + 1
  return reader.depth < MAX_NESTING ? [parseShell(body, reader.depth + 1)] : []
}

function matching(text: string, from: number, close: string): number {
  let open = 1
  for (let at = from; at < text.length; at += 1) {
    const char = text[at]
    if (char === '\\') at += 1
    else if (char === "'") {
      const end = text.indexOf("'", at + 1)
      if (end === -1) return text.length
      at = end
    } else if (char === '(') open += 1
    else if (char === close) {
      open -= 1
      if (open === 0) return at
    }
  }
  return text.length
}

const unescapeAnsi = (body: string): string =>
  body.replace(
    /\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([\s\S]))/g,
    (_all, hex?: string, octal?: string, other?: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8))
      return { n: '\n', t: '\t', r: '\r' }[other ?? ''] ?? other ?? ''
    },
  )
