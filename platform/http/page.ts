import { httpError } from './errors.ts'

export type PageRequest = { limit: number; after: string[] | null }

/** `limit` (1..500, default 50) and the opaque `cursor` of a list call. Throws 400 `parameter_invalid`. */
export function pageRequest(query: URLSearchParams): PageRequest {
  const limit = query.get('limit') ?? '50'
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > 500)
    throw httpError('parameter_invalid', '`limit` is a whole number from 1 to 500')
  const cursor = query.get('cursor')
  return { limit: Number(limit), after: cursor === null ? null : decodeCursor(cursor) }
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

function decodeCursor(cursor: string): string[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value
  } catch {
    // Falls through to the same answer: a cursor is opaque, so there is nothing more to say about it.
  }
  throw httpError('parameter_invalid', '`cursor` is not one that this call gave')
}
