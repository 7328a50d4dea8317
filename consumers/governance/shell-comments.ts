import { forEachChild, type ParsedScript, type SyntaxNode } from 'unbash'

type Range = { start: number; end: number }
const MAX_NESTING = 5

/** The places of the comments of a script, in order. The parser drops them: a `#` that no word covers starts one. */
export function commentsOf(tree: ParsedScript, source: string): Range[] {
  if (!source.includes('#')) return []
  const words: Range[] = []
  collect(tree, words, 0)
  words.sort((a, b) => a.start - b.start)
  const comments: Range[] = []
  let next = 0
  let at = source.indexOf('#')
  while (at !== -1) {
    while ((words[next]?.end ?? Number.POSITIVE_INFINITY) <= at) next += 1
    const word = words[next]
    if (word !== undefined && word.start <= at) {
      at = source.indexOf('#', Math.max(word.end, at + 1))
      continue
    }
    const line = source.indexOf('\n', at)
    const end = line === -1 ? source.length : line
    comments.push({ start: at, end })
    at = source.indexOf('#', end)
  }
  return comments
}

/** Adds the places where a `#` is text. Places in a substitution count on their own: it may hold comments again. */
function collect(node: SyntaxNode, words: Range[], depth: number): void {
  // Scripts in escaped backticks have their own text; their places mean nothing here.
  if (node.type === 'Script' && node.source !== undefined) return
  if (depth > MAX_NESTING || isText(node)) words.push({ start: node.pos, end: node.end })
  else forEachChild(node, (child) => collect(child, words, depth + (node.type === 'CommandExpansion' ? 1 : 0)))
}

function isText(node: SyntaxNode): boolean {
  switch (node.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
    case 'SimpleExpansion':
    case 'ParameterExpansion':
    case 'ArithmeticExpansion':
    case 'ArithmeticCommand':
    case 'HereDocBody':
    case 'HereDocDelimiter':
    case 'ExtendedGlob':
    case 'BraceExpansion':
    case 'Glob':
      return true
    case 'Word':
      return node.parts === undefined
    default:
      return false
  }
}
