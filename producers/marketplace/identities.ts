import { Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../platform/auth/principal.ts'
import { execute, rows } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { isUuid } from '../../platform/uuid.ts'
import { closed } from '../../schemas/envelope.ts'
import type { MarketplaceDeps } from './deps.ts'
import { marketplaceError } from './errors.ts'
import { revokedFrom, ValidFrom, validFromOf } from './signer-window.ts'

const IdentityBody = closed({
  issuer: Type.String({ pattern: '^https://[\\x21-\\x7e]{1,500}$' }),
  subject: Type.String({ pattern: '^[\\x21-\\x7e]{3,500}$' }),
  valid_from: ValidFrom,
})
type IdentityRow = { id: string; issuer: string; subject: string; valid_from: Date; revoked_at: Date | null }

/** Identities that sign for the caller's organisation without a key of its own (keyless): list, register, revoke. */
export function identityRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const found = await deps.db.transaction(
      (tx) =>
        rows<IdentityRow>(
          tx,
          `select id, issuer, subject, valid_from, revoked_at from marketplace.identities where org = ? order by id`,
          [call.principal.org],
        ),
      { scope: scopeOf(call.principal) },
    )
    return { status: 200, body: { identities: found.map(identityOf), next: null } }
  }

  async function register(call: Call): Promise<Answer> {
    const { issuer, subject, valid_from } = checked(IdentityBody, jsonBody(call))
    const { org } = call.principal
    const now = deps.now()
    const made = { id: uuidv7(), issuer, subject, valid_from: validFromOf(valid_from, now), revoked_at: null }
    const stored = await deps.db.transaction(
      (tx) =>
        execute(
          tx,
          `insert into marketplace.identities (org, id, issuer, subject, valid_from, created_at)
           values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
          [org, made.id, issuer, subject, made.valid_from, now],
        ),
      { scope: scopeOf(call.principal) },
    )
    if (stored === 0) throw marketplaceError('identity_exists', `${subject} is registered for ${org} already`)
    return { status: 201, body: identityOf(made) }
  }

  async function revoke(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const from = revokedFrom(call, deps.now())
    const changed = isUuid(id)
      ? await deps.db.transaction(
          (tx) =>
            execute(
              tx,
              `update marketplace.identities set revoked_at = least(revoked_at, ?::timestamptz)
               where org = ? and id = ?`,
              [from, call.principal.org, id],
            ),
          { scope: scopeOf(call.principal) },
        )
      : 0
    if (changed === 0) throw httpError('not_found', 'no identity with this id')
    return { status: 204 }
  }

  const access = { roles: ['partner'] as const }
  return [
    { method: 'GET', path: '/orgs/identities', summary: 'Identities that sign without a key', access, handle: list },
    { method: 'POST', path: '/orgs/identities', summary: 'Register an identity', access, handle: register },
    { method: 'DELETE', path: '/orgs/identities/:id', summary: 'Revoke an identity', access, handle: revoke },
  ]
}

const identityOf = (identity: IdentityRow) => ({
  id: identity.id,
  issuer: identity.issuer,
  subject: identity.subject,
  valid_from: identity.valid_from.toISOString(),
  revoked_at: identity.revoked_at?.toISOString() ?? null,
})
