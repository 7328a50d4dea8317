import { authError } from '../auth/errors.ts'
import { type ApiScope, hasRole, type Principal, type Role } from '../auth/principal.ts'
import { parseJson } from '../document.ts'
import { httpError } from './errors.ts'

export type Call = {
  principal: Principal
  params: Record<string, string>
  query: URLSearchParams
  /** The exact bytes sent. */
  bytes: Buffer
  contentType: string
  header(name: string): string | undefined
  requestId: string
  /** W3C trace context of this hop: the caller's, or a new one. */
  traceparent: string
  path: string
}

export type Answer = {
  status: number
  body?: unknown
  /** Sent instead of `body`, as they are. */
  bytes?: Uint8Array
  /** Sent instead of `body`, piece by piece, as fast as the caller takes it; a failure cuts the answer off. */
  stream?: AsyncIterable<string>
  type?: string
  headers?: Record<string, string>
  /** How long the caller had it wait for something to happen: no time that answering took. */
  waitedMs?: number
}

/**
 * Who may call: everybody the service knows (the visitor too), holders of one of these roles or scopes, or whoever
 * signed the body, which the call itself checks.
 */
export type Access =
  | { everyone: true }
  | { signedBody: true }
  | { roles: readonly Role[]; scopes?: readonly ApiScope[]; visitor?: boolean }

/** A call as data, so that pages and tests can list every route with its roles. */
export type Route = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  path: string
  summary: string
  access: Access
  maxBytes?: number
  handle(call: Call): Promise<Answer>
}

export const everyone: Access = { everyone: true }

/** A GET that everybody the service knows may call. */
export const openGet = (path: string, summary: string, handle: Route['handle']): Route => ({
  method: 'GET',
  path,
  summary,
  access: everyone,
  handle,
})

/** Throws 401 for a visitor and 403 for anybody else without the right. */
export function requireAccess(principal: Principal, access: Access): void {
  if ('everyone' in access) {
    if (principal.kind === 'api-key' && !principal.scopes.includes('read'))
      throw authError('forbidden', 'this API key lacks the scope `read`')
    return
  }
  if ('signedBody' in access || hasRole(principal, ...access.roles)) return
  if (access.scopes?.some((scope) => principal.scopes.includes(scope))) return
  if (principal.kind === 'visitor') {
    if (access.visitor) return
    throw authError('credential_missing', 'this call needs `Authorization: Bearer <token or API key>`')
  }
  const wanted = [...access.roles.map((role) => `role ${role}`), ...(access.scopes ?? []).map((s) => `scope ${s}`)]
  throw authError('forbidden', `this call needs ${wanted.join(' or ')}`)
}

/** Throws 403 where a suspended organisation would do anything but read. */
export function requireActive({ suspended }: Principal, method: Route['method']): void {
  if (suspended === undefined || method === 'GET') return
  throw authError('org_suspended', `the organisation is suspended and may only read: ${suspended}`)
}

/** The JSON of a call's body. `anyType` accepts what curl sends when no type is named. */
export function jsonBody(
  call: { bytes: Uint8Array; contentType: string },
  options: { anyType?: boolean; anyText?: boolean; maxBytes?: number; maxNodes?: number } = {},
): unknown {
  const type = call.contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  if (!options.anyType && type !== 'application/json' && !/^application\/[\w.-]+\+json$/.test(type))
    throw httpError('unsupported_media_type', 'send `Content-Type: application/json`')
  const { maxBytes, maxNodes, anyText = false } = options
  const parsed = parseJson(call.bytes, {
    anyText,
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxNodes === undefined ? {} : { maxNodes }),
  })
  if (parsed.ok) return parsed.value
  const { pointer, code, detail } = parsed
  throw httpError('body_malformed', detail, { errors: [{ pointer, code, detail }] })
}
