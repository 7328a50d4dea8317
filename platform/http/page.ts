import { httpError } from './errors.ts'

export type PageRequest = { limit: number; after: string[] | null }

/** What the parts of a list's cursor look like: a forged one must be refused here, not by the database. */
const PARTS = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  time: /^[12]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/,
  integer: /^\d{1,9}$/,
  decimal: /^\d{1,12}(\.\d{1,18})?$/,
  bigint: /^\d{1,18}$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  text: /^[^\x00-\x1f\ud800-\udfff]{1,256}$/,
} as const

/**
 * `limit` (1..500, default 50) and the opaque `cursor` of a list call, whose parts are of these kinds. Throws 400
 * `parameter_invalid`.
 */
export function pageRequest(query: URLSearchParams, shape: readonly (keyof typeof PARTS)[]): PageRequest {
  const limit = query.get('limit') ?? '50'
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 500)
    throw httpError('parameter_invalid', '`limit` is a whole number from 1 to 500')
  const cursor = query.get('cursor')
  return { limit: Number(limit), after: cursor === null ? null : decodeCursor(cursor, shape) }
}

/**
 * Cuts one row too many off a list and says where the next page begins. The cursor is a place in the sort order,
 * not a count, so rows inserted meanwhile neither repeat nor hide anything.
 */
export function page<T>(found: T[], limit: number, keyOf: (item: T) => string[]): { items: T[]; next: string | null } {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const next =
    found.length > limit && last !== undefined ? Buffer.from(JSON.stringify(keyOf(last))).toString('base64url') : null
  return { items, next }
}

/** `Link: rel=next` for the same call with the next cursor. */
export function nextLink(path: string, query: URLSearchParams, next: string | null): Record<string, string> {
  if (!next) return {}
  const following = new URLSearchParams(query)
  following.set('cursor', next)
  return { link: `<${path}?${following}>; rel="next"` }
}

function decodeCursor(cursor: string, shape: readonly (keyof typeof PARTS)[]): string[] {
  const fits = (part: unknown, kind: keyof typeof PARTS | undefined): part is string =>
    kind !== undefined &&
    typeof part === 'string' &&
    PARTS[kind].test(part) &&
    !Number.isNaN(kind === 'time' ? Date.parse(part) : 0)
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(value) && value.length === shape.length && value.every((part, i) => fits(part, shape[i])))
      return value
  } catch {
    // Falls through to the same answer: a cursor is opaque, so there is nothing more to say about it.
  }
  throw httpError('parameter_invalid', '`cursor` is not one that this call gave')
}
