import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, type ParsedNode, Parser } from 'yaml'
import { DocumentError, type DocumentLimits, FORBIDDEN_KEYS, placeOf, pointerStep } from './document-problem.ts'

type Token = Parameters<Composer['next']>[0]
type Node = ParsedNode | null

/**
 * Cheap to count, slow to read: the lexer alone refuses a text with more lexemes or lines than these in about 20 ms. A
 * mapping entry is about seven lexemes, so there is room for some 4,000 entries; a long script in a block is one.
 */
const LEXEMES_PER_NODE = 1.5
const MAX_LINES = 20_000

/**
 * Reads one YAML 1.2 document (core schema). The tokens are counted while the parser still keeps its own stack: the
 * composer after it recurses, so depth and size must be known before it starts.
 */
export function parseYamlText(text: string, limits: DocumentLimits): unknown {
  const document = compose(boundedTokens(text, limits))
  const syntax = document.errors[0]
  if (syntax !== undefined) {
    const code = syntax.code === 'TAG_RESOLVE_FAILED' ? 'document_tag_not_allowed' : 'document_syntax'
    throw new DocumentError(code, `not valid YAML: ${syntax.message.split('\n')[0]} at ${placeOf(text, syntax.pos[0])}`)
  }
  const warning = document.warnings[0]
  if (warning !== undefined) {
    throw new DocumentError(
      'document_tag_not_allowed',
      `not plain YAML at ${placeOf(text, warning.pos[0])}: ${warning.message.split('\n')[0]}`,
    )
  }
  checkNode(document.contents as Node, '')
  const value: unknown = toPlain(document, limits)
  checkExpanded(value, limits)
  return value
}

function boundedTokens(text: string, limits: DocumentLimits): Token[] {
  const parser = new Parser()
  const tokens: Token[] = []
  for (const lexeme of boundedLexemes(text, limits)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    // The parser's stack holds the document and, while one is read, a scalar beside the collections.
    if (parser.stack.length > limits.maxDepth + 2) {
      throw new DocumentError('document_too_deep', `nested deeper than ${limits.maxDepth} levels`)
    }
  }
  for (const token of parser.end()) tokens.push(token)
  return tokens
}

function boundedLexemes(text: string, limits: DocumentLimits): string[] {
  refuseTooManyLines(text)
  const lexemes: string[] = []
  let aliases = 0
  for (const lexeme of new Lexer().lex(text)) {
    lexemes.push(lexeme)
    if (lexemes.length > limits.maxNodes * LEXEMES_PER_NODE) {
      throw new DocumentError('document_too_many_nodes', 'too many values for a YAML document; JSON allows more')
    }
    if (lexeme[0] === '*') aliases += 1
    if (aliases > limits.maxAliases) {
      throw new DocumentError('document_too_many_aliases', `more than ${limits.maxAliases} aliases`)
    }
  }
  return lexemes
}

function refuseTooManyLines(text: string): void {
  let lines = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1
  if (lines > MAX_LINES) throw new DocumentError('document_too_many_nodes', `more than ${MAX_LINES} lines of YAML`)
}

function compose(tokens: Token[]): Document.Parsed {
  // The library compares each new key with every earlier one; checkNode does the same with a Set.
  const composer = new Composer({
    schema: 'core',
    uniqueKeys: false,
    merge: false,
    version: '1.2',
    customTags: [],
    resolveKnownTags: false,
  })
  refuseDirectives(tokens)
  const documents = [...composer.compose(tokens, true)]
  if (documents.length > 1) {
    throw new DocumentError('document_several_documents', 'the file holds more than one YAML document')
  }
  const document = documents[0]
  if (document === undefined) throw new DocumentError('document_syntax', 'the document is empty')
  return document as Document.Parsed
}

function refuseDirectives(tokens: readonly Token[]): void {
  // %YAML 1.1 would quietly change what `yes`, `010` and `<<` mean.
  if (tokens.some((token) => token.type === 'directive')) {
    throw new DocumentError('document_directive_not_allowed', 'YAML directives (%YAML, %TAG) are not allowed')
  }
}

function checkNode(node: Node, pointer: string): void {
  if (isScalar(node) && typeof node.value === 'number' && !Number.isFinite(node.value)) {
    throw new DocumentError('document_number_not_finite', 'NaN and infinite numbers are not allowed', pointer)
  }
  if (isSeq(node)) {
    node.items.forEach((item, index) => {
      checkNode(item as Node, pointer + pointerStep(index))
    })
  }
  if (!isMap(node)) return
  const seen = new Set<string>()
  for (const { key, value } of node.items) {
    const name = keyName(key, pointer)
    const place = pointer + pointerStep(name)
    if (FORBIDDEN_KEYS.has(name))
      throw new DocumentError('document_forbidden_key', `the key "${name}" is not allowed`, place)
    if (seen.has(name))
      throw new DocumentError('document_duplicate_key', `the key "${name.slice(0, 64)}" stands twice`, place)
    seen.add(name)
    checkNode(value as Node, place)
  }
}

function keyName(key: unknown, pointer: string): string {
  if (isScalar(key) && key.value !== null && !isAlias(key)) return String(key.value)
  throw new DocumentError('document_invalid_key', 'a key must be a plain text', pointer)
}

function toPlain(document: Document.Parsed, limits: DocumentLimits): unknown {
  try {
    return document.toJS({ maxAliasCount: limits.maxAliases })
  } catch (error) {
    if (error instanceof ReferenceError) throw new DocumentError('document_too_many_aliases', error.message)
    throw error
  }
}

/** Aliases share one object: this walk sees the document as every later reader will, each alias written out. */
function checkExpanded(root: unknown, limits: DocumentLimits): void {
  let nodes = 0
  const visit = (value: unknown, depth: number): void => {
    nodes += 1
    if (nodes > limits.maxNodes)
      throw new DocumentError('document_too_many_nodes', `more than ${limits.maxNodes} values`)
    if (typeof value !== 'object' || value === null) return
    if (depth >= limits.maxDepth) {
      throw new DocumentError('document_too_deep', `nested deeper than ${limits.maxDepth} levels`)
    }
    for (const item of Object.values(value)) visit(item, depth + 1)
  }
  visit(root, 0)
}
