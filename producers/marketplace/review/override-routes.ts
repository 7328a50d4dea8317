import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import { isUuid } from '../../../platform/uuid.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { actorOf } from './reviewable.ts'

type OverrideRow = {
  id: string
  org: string
  name: string
  version_id: string
  fingerprint: string
  rule_id: string
  severity: string
  owner: string
  reason: string
  accepted_by: string
  confirmed_by: string
  confirmed_at: Date
  expires_at: Date
  revoked_at: Date | null
  revoked_by: string | null
}

/** Accepted findings: which there are, and taking one back. A version that is published already stays so. */
export function overrideRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const name = call.query.get('package')
    const state = call.query.get('state') ?? 'all'
    if (state !== 'all' && state !== 'active') throw httpError('parameter_invalid', '`state` is `active` or `all`')
    if (name !== null && (name.length > 128 || name.includes('\0')))
      throw httpError('parameter_invalid', '`package` is not valid')
    const now = deps.now()
    const active = '(revoked_at is null and expires_at > ?)'
    const where = [
      'confirmed_at is not null',
      name === null ? 'true' : 'name = ?',
      state === 'active' ? active : 'true',
      after ? 'id < ?' : 'true',
    ].join(' and ')
    const bindings = [...(name === null ? [] : [name]), ...(state === 'active' ? [now] : []), ...(after ?? [])]
    const found = await deps.db.transaction(
      (tx) =>
        rows<OverrideRow>(tx, `select * from marketplace.overrides where ${where} order by id desc limit ?`, [
          ...bindings,
          limit + 1,
        ]),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    const headers = nextLink(call.path, call.query, next)
    return { status: 200, headers, body: { overrides: items.map((one) => shown(one, now)), next } }
  }

  async function revoke(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const found = isUuid(id)
      ? await deps.db.transaction(
          (tx) =>
            execute(
              tx,
              `update marketplace.overrides set revoked_at = coalesce(revoked_at, ?), revoked_by = coalesce(revoked_by, ?)
               where id = ? and confirmed_at is not null`,
              [deps.now(), actorOf(call.principal), id],
            ),
          { scope: scopeOf(call.principal) },
        )
      : 0
    if (found === 0) throw httpError('not_found', 'no accepted finding with this id')
    return { status: 204 }
  }

  const access = { roles: ['reviewer'] as const }
  return [
    { method: 'GET', path: '/reviews/overrides', summary: 'Accepted findings', access, handle: list },
    { method: 'DELETE', path: '/reviews/overrides/:id', summary: 'Take an acceptance back', access, handle: revoke },
  ]
}

const shown = (one: OverrideRow, now: Date) => ({
  id: one.id,
  package: one.name,
  publisher: one.org,
  version_id: one.version_id,
  fingerprint: one.fingerprint,
  rule_id: one.rule_id,
  severity: one.severity,
  owner: one.owner,
  reason: one.reason,
  // Of a critical finding two people; else the one who approved may be both.
  accepted_by: [...new Set([one.accepted_by, one.confirmed_by])],
  accepted_at: one.confirmed_at.toISOString(),
  expires_at: one.expires_at.toISOString(),
  revoked_at: one.revoked_at?.toISOString() ?? null,
  revoked_by: one.revoked_by,
  active: one.revoked_at === null && one.expires_at > now,
})
