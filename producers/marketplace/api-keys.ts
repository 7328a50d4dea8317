import { Type } from '@sinclair/typebox'
import { createApiKey } from '../../platform/auth/api-keys.ts'
import { scopeOf } from '../../platform/auth/principal.ts'
import { execute, rows } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { isUuid } from '../../platform/uuid.ts'
import { closed } from '../../schemas/envelope.ts'
import type { MarketplaceDeps } from './deps.ts'

const Scope = Type.Union([Type.Literal('publish'), Type.Literal('report'), Type.Literal('read')])
const ApiKeyBody = closed({ scopes: Type.Array(Scope, { minItems: 1, maxItems: 3, uniqueItems: true }) })
type ApiKeyRow = { id: string; prefix: string; scopes: string[]; created_at: Date; revoked_at: Date | null }

/** API keys of the caller's organisation; the key itself is in the answer that creates it and nowhere else. */
export function apiKeyRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const found = await deps.db.transaction(
      (tx) =>
        rows<ApiKeyRow>(
          tx,
          'select id, prefix, scopes, created_at, revoked_at from platform.api_keys where org = ? order by id',
          [call.principal.org],
        ),
      { scope: scopeOf(call.principal) },
    )
    return { status: 200, body: { api_keys: found, next: null } }
  }

  async function create(call: Call): Promise<Answer> {
    const { scopes } = checked(ApiKeyBody, jsonBody(call))
    const made = await deps.db.transaction((tx) => createApiKey(tx, call.principal.org, scopes, deps.now()), {
      scope: scopeOf(call.principal),
    })
    return { status: 201, body: { ...made, scopes } }
  }

  async function revoke(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const changed = isUuid(id)
      ? await deps.db.transaction(
          (tx) =>
            execute(tx, 'update platform.api_keys set revoked_at = coalesce(revoked_at, ?) where org = ? and id = ?', [
              deps.now(),
              call.principal.org,
              id,
            ]),
          { scope: scopeOf(call.principal) },
        )
      : 0
    if (changed === 0) throw httpError('not_found', 'no API key with this id')
    return { status: 204 }
  }

  const access = { roles: ['partner', 'tenant', 'admin'] as const }
  return [
    { method: 'GET', path: '/orgs/api-keys', summary: 'API keys of the organisation', access, handle: list },
    { method: 'POST', path: '/orgs/api-keys', summary: 'Make an API key', access, handle: create },
    { method: 'DELETE', path: '/orgs/api-keys/:id', summary: 'Revoke an API key', access, handle: revoke },
  ]
}
