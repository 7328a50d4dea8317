import { Type } from '@sinclair/typebox'
import { createApiKey } from '../../../platform/auth/api-keys.ts'
import { authError } from '../../../platform/auth/errors.ts'
import { hasRole, scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows, sqlState } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed, UtcTime } from '../../../schemas/envelope.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'

const Scope = Type.Union([Type.Literal('publish'), Type.Literal('report'), Type.Literal('read')])
const ApiKeyBody = closed({
  scopes: Type.Array(Scope, { minItems: 1, maxItems: 3, uniqueItems: true }),
  name: Type.Optional(Type.String({ pattern: '^[ -~]{1,100}$' })),
  expires_at: Type.Optional(UtcTime),
})
type ApiKeyRow = {
  id: string
  name: string | null
  prefix: string
  scopes: string[]
  created_at: Date
  expires_at: Date | null
  last_used_at: Date | null
  revoked_at: Date | null
}
const UNIQUE_VIOLATION = '23505'

/** API keys of the caller's organisation; the key itself is in the answer that creates it and nowhere else. */
export function apiKeyRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<ApiKeyRow>(
          tx,
          `select id, name, prefix, scopes, created_at, expires_at, last_used_at, revoked_at from platform.api_keys
           where org = ? ${after ? 'and id > ?' : ''} order by id limit ?`,
          [call.principal.org, ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    const now = deps.now()
    const body = { api_keys: items.map((key) => ({ ...key, status: statusOf(key, now) })), next }
    return { status: 200, headers: nextLink(call.path, call.query, next), body }
  }

  async function create(call: Call): Promise<Answer> {
    const { scopes, name, expires_at } = checked(ApiKeyBody, jsonBody(call))
    if (scopes.includes('publish') && !hasRole(call.principal, 'partner'))
      throw authError('forbidden', 'a key with the scope `publish` is made by a partner')
    const now = deps.now()
    const expiresAt = expires_at === undefined ? undefined : new Date(expires_at)
    if (expiresAt && !(expiresAt > now)) throw expiryFault('is no time in the future')
    const terms = { ...(name === undefined ? {} : { name }), ...(expiresAt ? { expiresAt } : {}) }
    const made = await deps.db
      .transaction((tx) => createApiKey(tx, call.principal.org, scopes, now, terms), {
        scope: scopeOf(call.principal),
      })
      .catch((error: unknown) => {
        if (sqlState(error) !== UNIQUE_VIOLATION) throw error
        const detail = `a key named ${name} was made already; revoke it first or take another name`
        throw marketplaceError('api_key_exists', detail, { cause: error })
      })
    return {
      status: 201,
      body: { ...made, scopes, name: name ?? null, expires_at: expiresAt?.toISOString() ?? null },
    }
  }

  async function revoke(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const changed = isUuid(id)
      ? await deps.db.transaction(
          (tx) =>
            execute(
              tx,
              `update platform.api_keys set revoked_at = coalesce(revoked_at, ?)
               where org = ? and id = ? and (? or not 'publish' = any(scopes))`,
              [deps.now(), call.principal.org, id, hasRole(call.principal, 'partner', 'owner', 'admin')],
            ),
          { scope: scopeOf(call.principal) },
        )
      : 0
    if (changed === 0) throw httpError('not_found', 'no API key with this id')
    return { status: 204 }
  }

  const access = { roles: ['partner', 'tenant', 'owner', 'admin'] as const }
  return [
    { method: 'GET', path: '/orgs/api-keys', summary: 'API keys of the organisation', access, handle: list },
    { method: 'POST', path: '/orgs/api-keys', summary: 'Make an API key', access, handle: create },
    { method: 'DELETE', path: '/orgs/api-keys/:id', summary: 'Revoke an API key', access, handle: revoke },
  ]
}

const statusOf = ({ revoked_at, expires_at }: ApiKeyRow, now: Date) =>
  revoked_at ? 'revoked' : expires_at && expires_at <= now ? 'expired' : 'active'

const expiryFault = (detail: string) =>
  httpError('body_malformed', `/expires_at ${detail}`, {
    errors: [{ pointer: '/expires_at', code: 'not_in_the_future', detail }],
  })
