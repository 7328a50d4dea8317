import { parseJsonText } from './document-json.ts'
import { DEFAULT_LIMITS, DocumentError, type DocumentLimits, type DocumentProblem } from './document-problem.ts'
import { refuseUnstorable } from './document-text.ts'
import { parseYamlText } from './document-yaml.ts'

export type DocumentFormat = 'json' | 'yaml'

export type ParsedDocument = { ok: true; value: unknown; format: DocumentFormat } | ({ ok: false } & DocumentProblem)

/**
 * Reads a JSON or YAML document whose root is an object, within `limits`. `mediaType` (`application/json`,
 * `application/yaml`) decides the format; without it the first character does.
 */
export function parseDocument(
  bytes: Uint8Array,
  limits: Partial<DocumentLimits> = {},
  mediaType?: string,
): ParsedDocument {
  return read(bytes, limits, (text) => formatOf(text, mediaType), true)
}

/** Reads a JSON value of any kind (an HTTP body) with the same checks. */
export function parseJson(bytes: Uint8Array, limits: Partial<DocumentLimits> = {}): ParsedDocument {
  return read(bytes, limits, () => 'json', false)
}

function read(
  bytes: Uint8Array,
  partial: Partial<DocumentLimits>,
  choose: (text: string) => DocumentFormat,
  objectOnly: boolean,
): ParsedDocument {
  const limits = { ...DEFAULT_LIMITS, ...partial }
  try {
    const text = decode(bytes, limits.maxBytes)
    const format = choose(text)
    const value = format === 'json' ? parseJsonText(text, limits) : parseYamlText(text, limits)
    if (limits.anyText !== true) refuseUnstorable(value)
    if (objectOnly && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      throw new DocumentError('document_not_object', 'the document must be an object')
    }
    return { ok: true, value, format }
  } catch (error) {
    if (error instanceof DocumentError) {
      return { ok: false, code: error.code, detail: error.message, pointer: error.pointer }
    }
    throw error
  }
}

function decode(bytes: Uint8Array, maxBytes: number): string {
  if (bytes.byteLength > maxBytes) {
    throw new DocumentError(
      'document_too_large',
      `the document has ${bytes.byteLength} bytes, at most ${maxBytes} are allowed`,
    )
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new DocumentError('document_not_utf8', 'the document is not valid UTF-8')
  }
}

function formatOf(text: string, mediaType: string | undefined): DocumentFormat {
  if (mediaType !== undefined && /yaml/i.test(mediaType)) return 'yaml'
  if (mediaType !== undefined && /json/i.test(mediaType)) return 'json'
  return /^\s*[{[]/.test(text) ? 'json' : 'yaml'
}
