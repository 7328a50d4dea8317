/** Bounds of a document, all checked before or while it is read. Depth counts nested objects and arrays. */
export type DocumentLimits = {
  maxBytes: number
  maxDepth: number
  maxAliases: number
  maxNodes: number
  /** Leaves it to the caller to refuse text that cannot be stored, part by part. */
  anyText?: boolean
}

/**
 * 1 MB and depth 32 are the limits of a package. The largest body of ours, a usage report of 1,000 records, has about
 * 13,000 nodes. YAML is read far more slowly than JSON and has a tighter bound of its own (document-yaml.ts).
 */
export const DEFAULT_LIMITS: DocumentLimits = { maxBytes: 1_000_000, maxDepth: 32, maxAliases: 10, maxNodes: 20_000 }

export type DocumentProblemCode =
  | 'document_too_large'
  | 'document_not_utf8'
  | 'document_syntax'
  | 'document_too_deep'
  | 'document_too_many_nodes'
  | 'document_too_many_aliases'
  | 'document_duplicate_key'
  | 'document_forbidden_key'
  | 'document_invalid_key'
  | 'document_invalid_text'
  | 'document_number_not_finite'
  | 'document_tag_not_allowed'
  | 'document_directive_not_allowed'
  | 'document_several_documents'
  | 'document_not_object'

export type DocumentProblem = { code: DocumentProblemCode; detail: string; pointer: string }

/** Thrown by the readers and turned into a result here; it never leaves this module's functions. */
export class DocumentError extends Error {
  readonly code: DocumentProblemCode
  readonly pointer: string
  constructor(code: DocumentProblemCode, detail: string, pointer = '') {
    super(detail)
    this.name = 'DocumentError'
    this.code = code
    this.pointer = pointer
  }
}

/** Keys that change an object's prototype when a later reader merges or copies without care. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** One step of a JSON Pointer (RFC 6901). */
export const pointerStep = (key: string | number): string =>
  `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`

/** "line 3, column 7" of an offset, counted from one. */
export function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  let line = 1
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line += 1
  return `line ${line}, column ${offset - lineStart + 1}`
}
