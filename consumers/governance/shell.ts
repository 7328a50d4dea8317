import {
  type Assignment,
  type CommandNode,
  type CompoundList,
  forEachChild,
  type HereDoc,
  type PipelineNode,
  parse,
  type Redirection,
  type Command as SimpleCommand,
  type Statement,
  type SyntaxNode,
  type Word as SyntaxWord,
} from 'unbash'
import { commentsOf } from './shell-comments.ts'
import { markExpressions } from './shell-expressions.ts'
import { withVariables } from './shell-variables.ts'

/** A word after quote removal; expansions stay as written. `quoted` is true when any part stood in quotes. */
export type Word = { text: string; quoted: boolean; substitutions: Script[]; processes: Script[] }
export type Redirect = { op: string; target: Word }
/**
 * One call. `captured` when its output goes into a substitution and not to where the script prints. `range` is its place
 * in the text that was read, or null where that text does not show it (decoded, or handed to another shell).
 */
export type Command = {
  words: Word[]
  assignments: Word[]
  redirects: Redirect[]
  heredoc: string | null
  captured: boolean
  range: TextRange | null
}
/** Commands joined by pipes, first to last. */
export type Pipeline = Command[]
export type Script = Pipeline[]
export type TextRange = { start: number; end: number }

// `placed`: positions in `source` are positions in the text that was read.
type Reader = { source: string; restore: (text: string) => string; depth: number; placed: boolean }

const MAX_NESTING = 5
// Longer than any pipeline that somebody wrote; one of thousands is bait, and is read in short parts.
const MAX_PIPELINE = 100
const BAIT = 1000
const BAIT_PART = 10
// The parser takes seconds for a text of opening signs only, and every rule looks at every command: no script that a
// person wrote comes near either.
const MAX_OPEN = 200
const MAX_COMMANDS = 5_000

/** True when so many parentheses are open at once, or so many commands stand in it, that the script is not parsed. */
export function isTooMuch(text: string): boolean {
  let open = 0
  let ends = 0
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === OPENS) open += 1
    else if (char === CLOSES && open > 0) open -= 1
    if (ENDS.has(char) || char === OPENS) ends += 1
    if (open > MAX_OPEN || ends > MAX_COMMANDS) return true
  }
  return false
}
const [OPENS, CLOSES] = [40, 41]
const ENDS = new Set([...'|;&`\n'].map((char) => char.charCodeAt(0)))

/**
 * Reads a shell script into its commands, in the order in which they stand; branches, loops and functions are
 * flattened. It never throws: what the grammar cannot read ends up as words. Template expressions are kept as text.
 * The places of comments are added to `comments`.
 */
export function parseShell(text: string, depth = 0, comments: TextRange[] = []): Script {
  const unread = (): Script => [[plainCommand(text.slice(0, 10_000).split(/\s+/))]]
  if (isTooMuch(text)) return unread()
  const { text: source, restore } = markExpressions(text)
  try {
    const tree = parse(source)
    comments.push(...commentsOf(tree, source))
    return withVariables(statements({ source, restore, depth, placed: true }, tree.commands))
  } catch {
    // The parser recurses: a text made to overflow its stack is one long command.
    return unread()
  }
}

const plainCommand = (words: readonly string[]): Command => ({
  words: words.filter((word) => word !== '').map((text) => ({ text, quoted: false, substitutions: [], processes: [] })),
  assignments: [],
  redirects: [],
  heredoc: null,
  captured: false,
  range: null,
})

const placeOf = (reader: Reader, { pos, end }: { pos: number; end: number }): TextRange | null =>
  reader.placed ? { start: pos, end } : null

const statements = (reader: Reader, list: readonly Statement[]): Script =>
  list.flatMap(({ command }) =>
    command.type === 'AndOr' ? command.commands.flatMap((one) => pipelines(reader, one)) : pipelines(reader, command),
  )

const block = (reader: Reader, list: CompoundList | undefined): Script =>
  list === undefined ? [] : statements(reader, list.commands)

function pipelines(reader: Reader, node: PipelineNode): Script {
  if (node.type !== 'Pipeline') return commands(reader, node)
  if (node.commands.length === 1 && node.commands[0] !== undefined) return commands(reader, node.commands[0])
  // `(a; b) | c`: everything in the group feeds what follows, so it becomes one pipeline.
  const joined = node.commands.flatMap((one) => commands(reader, one).flat())
  const parts: Script = []
  // Rules compare each command with all before it. Parts overlap by one, so that no two neighbours are torn apart.
  const longest = joined.length > BAIT ? BAIT_PART : MAX_PIPELINE
  for (let start = 0; start < joined.length; start += longest - 1) {
    parts.push(joined.slice(start, start + longest))
    if (start + longest >= joined.length) break
  }
  return parts
}

function commands(reader: Reader, node: CommandNode): Script {
  switch (node.type) {
    case 'Command':
      return simple(reader, node)
    case 'Redirected':
      return redirected(reader, commands(reader, node.command), node.redirects)
    case 'If':
      return [
        ...block(reader, node.clause),
        ...block(reader, node.then),
        ...node.elif.flatMap((branch) => [...block(reader, branch.clause), ...block(reader, branch.then)]),
        ...block(reader, node.else),
      ]
    case 'While':
      return [...block(reader, node.clause), ...block(reader, node.body)]
    case 'For':
    case 'Select': {
      const values = (node.wordlist ?? []).map((word) => wordOf(reader, word))
      const head = { ...plainCommand(['for', node.name.value, 'in']), range: placeOf(reader, node) }
      return [[{ ...head, words: [...head.words, ...values] }], ...block(reader, node.body)]
    }
    case 'Case': {
      const head = { ...plainCommand(['case']), range: placeOf(reader, node) }
      const subject = [{ ...head, words: [...head.words, wordOf(reader, node.word)] }]
      return [subject, ...node.items.flatMap((item) => block(reader, item.body))]
    }
    case 'Function':
    case 'Coproc':
      return node.body.type === 'CompoundList' ? block(reader, node.body) : commands(reader, node.body)
    case 'Subshell':
    case 'BraceGroup':
    case 'ArithmeticFor':
      return block(reader, node.body)
    case 'TestCommand':
    case 'ArithmeticCommand': {
      const head = { ...plainCommand([node.type === 'TestCommand' ? '[[' : '((']), range: placeOf(reader, node) }
      const inside = reader.restore(reader.source.slice(node.pos + 2, node.end - 2)).trim()
      const word = { ...emptyWord(), text: inside, ...nestedIn(reader, node) }
      return [[{ ...head, words: [...head.words, word] }]]
    }
  }
}

function simple(reader: Reader, node: SimpleCommand): Script {
  const command = { ...plainCommand([]), range: placeOf(reader, node) }
  if (node.name !== undefined) command.words.push(wordOf(reader, node.name))
  for (const item of node.prefix) if (item.type === 'Assignment') command.assignments.push(assignment(reader, item))
  for (const item of node.args) {
    command.words.push(item.type === 'Assignment' ? assignment(reader, item) : wordOf(reader, item))
  }
  for (const item of node.redirects) addRedirect(reader, command, item)
  const empty = command.words.length + command.assignments.length + command.redirects.length === 0
  return empty ? [] : [[command]]
}

/** `{ a; b; } < file`: each command in the group has the redirection. */
function redirected(reader: Reader, script: Script, redirects: readonly Redirection[]): Script {
  for (const command of script.flat()) for (const one of redirects) addRedirect(reader, command, one)
  return script
}

function addRedirect(reader: Reader, command: Command, node: Redirection): void {
  const fd = node.descriptor?.type === 'FileDescriptor' ? String(node.descriptor.value) : ''
  if (node.type === 'HereDoc') {
    command.heredoc = heredocText(reader, node)
    const target = { ...emptyWord(), text: node.delimiter?.value ?? '', ...nestedIn(reader, node.body) }
    command.redirects.push({ op: fd + node.operator, target })
    return
  }
  const target = node.target === undefined ? emptyWord() : wordOf(reader, node.target)
  command.redirects.push({ op: fd + node.operator, target })
}

function heredocText(reader: Reader, { body, operator }: HereDoc): string {
  const text = reader.restore(body.text).replace(/\n$/, '')
  return operator === '<<-' ? text.replace(/^\t+/gm, '') : text
}

const emptyWord = (): Word => ({ text: '', quoted: false, substitutions: [], processes: [] })

function assignment(reader: Reader, node: Assignment): Word {
  const values = node.value.type === 'ArrayValue' ? node.value.elements : [node.value]
  const words = values.map((value) => wordOf(reader, value))
  const text = node.value.type === 'ArrayValue' ? `(${words.map((word) => word.text).join(' ')})` : words[0]?.text
  return {
    text: `${reader.restore(node.name)}${node.append === true ? '+=' : '='}${text ?? ''}`,
    quoted: words.some((word) => word.quoted),
    substitutions: words.flatMap((word) => word.substitutions),
    processes: words.flatMap((word) => word.processes),
  }
}

function wordOf(reader: Reader, node: SyntaxWord): Word {
  const word = emptyWord()
  if (node.parts === undefined) {
    word.text = reader.restore(node.value)
    word.quoted = /["'\\]/.test(node.text)
    return word
  }
  let text = ''
  const visit = (part: SyntaxNode): void => {
    if (part.type === 'DoubleQuoted' || part.type === 'LocaleString') {
      word.quoted = true
      for (const inner of part.parts) visit(inner)
    } else if (part.type === 'SingleQuoted' || part.type === 'AnsiCQuoted') {
      word.quoted = true
      text += part.value
    } else if (part.type === 'Literal' || part.type === 'Glob') text += part.value
    else if (part.type === 'CommandExpansion') {
      text += '$()'
      if (reader.depth < MAX_NESTING) word.substitutions.push(nested(reader, part.script))
    } else if (part.type === 'ProcessSubstitution') {
      text += `${part.operator}()`
      if (reader.depth < MAX_NESTING) word.processes.push(nested(reader, part.script))
    } else {
      if ('text' in part) text += part.text
      const inside = nestedIn(reader, part)
      word.substitutions.push(...inside.substitutions)
      word.processes.push(...inside.processes)
    }
  }
  for (const part of node.parts) visit(part)
  word.text = reader.restore(text)
  return word
}

type Nested = { commands: readonly Statement[]; source?: string } | undefined
const nested = (reader: Reader, script: Nested): Script =>
  script === undefined
    ? []
    : captured(
        statements(
          {
            source: script.source ?? reader.source,
            restore: reader.restore,
            depth: reader.depth + 1,
            // A script in escaped backticks has a text, and so places, of its own.
            placed: reader.placed && script.source === undefined,
          },
          script.commands,
        ),
      )

function captured(script: Script): Script {
  for (const command of script.flat()) command.captured = true
  return script
}

/** The scripts in substitutions anywhere below a node. */
function nestedIn(reader: Reader, node: SyntaxNode): Pick<Word, 'substitutions' | 'processes'> {
  const found: Pick<Word, 'substitutions' | 'processes'> = { substitutions: [], processes: [] }
  if (reader.depth >= MAX_NESTING) return found
  const visit = (child: SyntaxNode): void => {
    if (child.type === 'CommandExpansion') found.substitutions.push(nested(reader, child.script))
    else if (child.type === 'ProcessSubstitution') found.processes.push(nested(reader, child.script))
    else forEachChild(child, visit)
  }
  forEachChild(node, visit)
  return found
}
