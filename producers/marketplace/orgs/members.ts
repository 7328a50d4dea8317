import { Type } from '@sinclair/typebox'
import { memberName } from '../../../platform/auth/members.ts'
import { rolesIn } from '../../../platform/auth/org-roles.ts'
import { MEMBER_ROLES, OPERATOR_ROLES, scopeOf } from '../../../platform/auth/principal.ts'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed } from '../../../schemas/envelope.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { actorOf } from '../review/reviewable.ts'
import { recordAct } from './act-record.ts'
import { findOrg, type OrgRow } from './org-row.ts'

const MemberBody = closed({
  roles: Type.Array(Type.Union([...MEMBER_ROLES, ...OPERATOR_ROLES].map((role) => Type.Literal(role))), {
    minItems: 1,
    maxItems: 4,
    uniqueItems: true,
  }),
})
type MemberRow = {
  issuer: string
  subject: string
  label: string
  roles: string[]
  created_at: Date
  changed_at: Date
}
type Named = { org: OrgRow; issuer: string; subject: string; label: string }
const columns = 'issuer, subject, label, roles, created_at, changed_at'

/**
 * Who of the OIDC issuers' people belongs to an organisation, and with which roles: named by its owners, or by the
 * operator's admin. Somebody who may name members always stays.
 */
export function memberRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text', 'text'])
    const found = await deps.db.transaction(
      async (tx) => {
        const { org } = await findOrg(tx, call.params.org ?? '')
        return rows<MemberRow>(
          tx,
          `select ${columns} from platform.members
           where org = ? ${after ? 'and (issuer, subject) > (?, ?)' : ''} order by issuer, subject limit ?`,
          [org, ...(after ?? []), limit + 1],
        )
      },
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ issuer, subject }) => [issuer, subject])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { members: items.map(memberOf), next } }
  }

  async function set(call: Call): Promise<Answer> {
    const { roles } = checked(MemberBody, jsonBody(call))
    return inOrder(call, async (tx, named) => {
      requireFitting(roles, named.org)
      const before = await find(tx, named)
      const same = before && [...before.roles].sort().join() === [...roles].sort().join()
      if (same) return { status: 200, body: memberOf(before) }
      if (before) await requireSuccessor(tx, named, before, roles)
      const at = deps.now()
      const stored = await row<MemberRow>(
        tx,
        `insert into platform.members (org, issuer, subject, label, roles, created_at, changed_at, changed_by)
         values (?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (org, issuer, subject) do update
           set roles = excluded.roles, changed_at = excluded.changed_at, changed_by = excluded.changed_by
         returning ${columns}`,
        [named.org.org, named.issuer, named.subject, named.label, roles, at, at, actorOf(call.principal)],
      )
      await record(tx, call, 'member_set', named, at, { roles })
      return { status: before ? 200 : 201, body: memberOf(stored as MemberRow) }
    })
  }

  async function remove(call: Call): Promise<Answer> {
    return inOrder(call, async (tx, named) => {
      const before = await find(tx, named)
      if (!before) throw httpError('not_found', 'no member with this subject')
      await requireSuccessor(tx, named, before, [])
      await execute(tx, 'delete from platform.members where org = ? and issuer = ? and subject = ?', keyOf(named))
      await record(tx, call, 'member_removed', named, deps.now(), {})
      return { status: 204 }
    })
  }

  /** One change of an organisation's members at a time: of two owners that remove each other one stays. */
  async function inOrder(call: Call, change: (tx: Tx, named: Named) => Promise<Answer>): Promise<Answer> {
    const id = call.params.org ?? ''
    const name = nameOf(call)
    const scope = scopeOf(call.principal)
    return deps.db.transaction(async (tx) => change(tx, { org: await findOrg(tx, id), ...name }), {
      scope,
      locks: [`members/${id}`],
    })
  }

  function nameOf(call: Call): Omit<Named, 'org'> {
    const issuer = call.query.get('issuer') ?? deps.memberIssuers[0]
    if (issuer === undefined)
      throw marketplaceError(
        'members_by_token',
        'tokens say organisation and roles themselves; set ATOM_OIDC_ISSUER without ATOM_OIDC_ORG_CLAIM to name members',
      )
    if (!deps.memberIssuers.includes(issuer))
      throw httpError('parameter_invalid', `\`issuer\` is one of ${deps.memberIssuers.join(', ')}`)
    const name = memberName(call.params.subject ?? '')
    if (!name)
      throw httpError(
        'parameter_invalid',
        'a member is named by its subject at the issuer, or by email: and an address',
      )
    return { issuer, ...name }
  }

  const record = (tx: Tx, call: Call, kind: 'member_set' | 'member_removed', named: Named, at: Date, more: object) =>
    recordAct(tx, {
      kind,
      org: named.org.org,
      subject: named.subject,
      by: call.principal,
      at,
      detail: { issuer: named.issuer, ...more },
    })

  const access = { roles: ['owner', 'admin'] as const }
  const path = '/orgs/:org/members/:subject'
  return [
    { method: 'GET', path: '/orgs/:org/members', summary: 'Members of an organisation', access, handle: list },
    { method: 'PUT', path, summary: 'Name a member, or change its roles', access, handle: set },
    { method: 'DELETE', path, summary: 'Remove a member', access, handle: remove },
  ]
}

const keyOf = ({ org, issuer, subject }: Named) => [org.org, issuer, subject]

const find = (tx: Tx, named: Named) =>
  row<MemberRow>(
    tx,
    `select ${columns} from platform.members where org = ? and issuer = ? and subject = ?`,
    keyOf(named),
  )

function requireFitting(roles: readonly string[], { org, kind }: OrgRow): void {
  const allowed: readonly string[] = rolesIn(kind === 'operator')
  const wrong = roles.findIndex((role) => !allowed.includes(role))
  if (wrong < 0) return
  const detail = `roles in ${org} are ${allowed.join(', ')}`
  throw httpError('body_malformed', `/roles/${wrong} does not exist here: ${detail}`, {
    errors: [{ pointer: `/roles/${wrong}`, code: 'role_not_here', detail }],
  })
}

/** Throws 409 where the last one who may name members would lose that. */
async function requireSuccessor(tx: Tx, named: Named, before: MemberRow, roles: readonly string[]): Promise<void> {
  const naming = named.org.kind === 'operator' ? 'admin' : 'owner'
  if (!before.roles.includes(naming) || roles.includes(naming)) return
  const other = await row(
    tx,
    'select 1 from platform.members where org = ? and (issuer, subject) <> (?, ?) and ? = any(roles) limit 1',
    [...keyOf(named), naming],
  )
  if (!other) throw marketplaceError('last_owner', `${before.label} is the last ${naming} of ${named.org.org}`)
}

const memberOf = (member: MemberRow) => ({
  issuer: member.issuer,
  subject: member.subject,
  label: member.label,
  roles: member.roles,
  created_at: member.created_at.toISOString(),
  changed_at: member.changed_at.toISOString(),
})
