import { scopeOf } from '../../platform/auth/principal.ts'
import { keyLock } from '../../platform/bus/outbox.ts'
import { type Db, row, rows, type Tx } from '../../platform/db.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { closed, saidText } from '../../schemas/envelope.ts'
import { wpkBlocked } from '../../schemas/events/wpk.blocked.ts'
import type { MarketplaceDeps } from './deps.ts'
import { marketplaceError } from './errors.ts'
import { recordDecision } from './review/decisions.ts'
import { actorOf } from './review/reviewable.ts'
import { signerFault, signerOf } from './signers.ts'
import { columns, findVersion, recordSha256, summaryOf, type VersionRow } from './version-row.ts'

const KeepBody = closed({ reason: saidText(4_000) })
const PUBLIC = ['published', 'deprecated']

/** Public, signed at or after the moment from which its signer does not count, and no person has said since to keep it. */
const CONCERNED = `versions.status in ('published', 'deprecated')
  and (exists (select 1 from marketplace.signing_keys k where k.org = versions.org and k.key_id = versions.key_id
                 and k.revoked_at <= coalesce(versions.signed_at, versions.submitted_at))
    or exists (select 1 from marketplace.identities i where i.org = versions.org and i.id::text = versions.key_id
                 and i.revoked_at <= coalesce(versions.signed_at, versions.submitted_at)))
  and not exists (select 1 from marketplace.decisions d where d.org = versions.org and d.version_id = versions.id and d.decision = 'keep')`

/**
 * A key that leaked is revoked from a moment in the past, and what it signed since may be public by then. Nobody takes
 * that away from its users unasked: it goes back to a person, who blocks it or keeps it and says why.
 */
export function revokedSignerRoutes(deps: MarketplaceDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const { items, next } = await deps.db.transaction(
      async (tx) => {
        const found = await rows<VersionRow>(
          tx,
          `select ${columns} from marketplace.versions where ${CONCERNED} ${after ? 'and versions.id > ?' : ''}
           order by versions.id limit ?`,
          [...(after ?? []), limit + 1],
        )
        const cut = page(found, limit, ({ id }) => [id])
        const items: object[] = []
        for (const version of cut.items) items.push({ wpk: summaryOf(version), signer: await signerOf(tx, version) })
        return { items, next: cut.next }
      },
      { scope: scopeOf(call.principal) },
    )
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { versions: items, next } }
  }

  async function keep(call: Call): Promise<Answer> {
    const { reason } = checked(KeepBody, jsonBody(call))
    const scope = scopeOf(call.principal)
    const id = call.params.id ?? ''
    const { name } = await deps.db.transaction((tx) => findVersion(tx, id), { scope })
    // The lock under which a version is blocked too, so that of both only one can happen first.
    return deps.db.transaction((tx) => keepOne(tx, call, reason), {
      scope,
      locks: [keyLock(wpkBlocked.topic, name)],
    })
  }

  async function keepOne(tx: Tx, call: Call, reason: string): Promise<Answer> {
    const version = await findVersion(tx, call.params.id ?? '')
    if (version.org === call.principal.org)
      throw marketplaceError('own_package', 'somebody outside your organisation must decide on this package')
    const kept = await row<{ approver: string; justification: string }>(
      tx,
      `select approver, justification from marketplace.decisions
       where org = ? and version_id = ? and decision = 'keep' limit 1`,
      [version.org, version.id],
    )
    if (kept)
      return {
        status: 200,
        body: { id: version.id, status: version.status, kept_by: kept.approver, reason: kept.justification },
      }
    if (!PUBLIC.includes(version.status) || (await signerFault(tx, version)) === null)
      throw marketplaceError('move_refused', 'only a public version whose signer was revoked before it signed is kept')
    const by = actorOf(call.principal)
    const hash = recordSha256(version)
    const decision = { version, decision: 'keep', approver: by, kind: 'person', justification: reason } as const
    await recordDecision(tx, { ...decision, before: hash, after: hash, now: deps.now() })
    return { status: 200, body: { id: version.id, status: version.status, kept_by: by, reason } }
  }

  const access = { roles: ['reviewer', 'admin'] as const }
  return [
    {
      method: 'GET',
      path: '/registry/revoked-signers',
      summary: 'Public versions whose signer was revoked before it signed',
      access,
      handle: list,
    },
    {
      method: 'POST',
      path: '/wpk/:id/keep',
      summary: 'Keep such a version public, and say why',
      access,
      handle: keep,
    },
  ]
}

/** How many public versions wait for a person because their signer was revoked. */
export function measureRevoked(db: Db, metrics: Metrics): () => Promise<void> {
  const versions = metrics.gauge(
    'atom_versions_signer_revoked',
    'Public versions whose signer was revoked before it signed, and nobody decided to keep',
  )
  return async () => {
    const [found] = await db.query<{ n: number }>(
      `select count(*)::int as n from marketplace.versions where ${CONCERNED}`,
    )
    versions.set(found?.n ?? 0)
  }
}
