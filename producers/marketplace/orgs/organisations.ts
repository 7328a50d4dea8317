import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, openGet, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, OrgId } from '../../../schemas/envelope.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { recordAct } from './act-record.ts'
import { findOrg, type OrgRow, orgColumns, orgOf } from './org-row.ts'

const OrgBody = closed({
  id: OrgId,
  name: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f]*\\S[^\\u0000-\\u001f]*$' }),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
})
/** Words that stand in the place of an id in calls of the caller's own organisation. */
const RESERVED = ['keys', 'api-keys', 'identities', 'members', 'me', 'public']

/** Organisations: the operator makes and sees all, everybody else sees its own. */
export function organisationRoutes(deps: MarketplaceDeps): Route[] {
  async function create(call: Call): Promise<Answer> {
    const wanted = checked(OrgBody, jsonBody(call))
    if (RESERVED.includes(wanted.id))
      throw httpError('body_malformed', `/id ${wanted.id} is a word of the calls`, {
        errors: [{ pointer: '/id', code: 'reserved', detail: 'is a word of the calls' }],
      })
    return deps.db.transaction((tx) => store(tx, call, wanted), { scope: scopeOf(call.principal) })
  }

  async function store(tx: Tx, call: Call, wanted: { id: string; name: string; currency?: string }): Promise<Answer> {
    const { id, name, currency = null } = wanted
    const at = deps.now()
    const made = await execute(
      tx,
      `insert into platform.orgs (org, display_name, kind, currency, created_at) values (?, ?, 'member', ?, ?)
       on conflict do nothing`,
      [id, name, currency, at],
    )
    const stored = await findOrg(tx, id)
    if (made === 1)
      await recordAct(tx, { kind: 'org_created', org: id, subject: id, by: call.principal, at, detail: { name } })
    else if (stored.display_name !== name || stored.currency !== currency || stored.kind !== 'member')
      throw marketplaceError('org_exists', `the organisation ${id} exists with another name or currency`)
    return { status: made === 1 ? 201 : 200, body: orgOf(stored, call.principal) }
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<OrgRow>(
          tx,
          `select ${orgColumns} from platform.orgs ${after ? 'where org > ?' : ''} order by org limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ org }) => [org])
    const body = { orgs: items.map((org) => orgOf(org, call.principal)), next }
    return { status: 200, headers: nextLink(call.path, call.query, next), body }
  }

  async function show(call: Call): Promise<Answer> {
    const org = await deps.db.transaction((tx) => findOrg(tx, call.params.org ?? ''), {
      scope: scopeOf(call.principal),
    })
    return { status: 200, body: orgOf(org, call.principal) }
  }

  return [
    { method: 'POST', path: '/orgs', summary: 'Make an organisation', access: { roles: ['admin'] }, handle: create },
    openGet('/orgs', 'Organisations: the own one, for the operator all', list),
    openGet('/orgs/:org', 'One organisation and whether it is suspended', show),
  ]
}
