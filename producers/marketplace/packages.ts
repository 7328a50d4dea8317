import { readArtifact } from '../../platform/artifacts.ts'
import { type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { rows, type Scope, type Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../platform/http/route.ts'
import type { MarketplaceDeps } from './deps.ts'
import { statuses } from './lifecycle.ts'
import { listedPublisher } from './orgs/suspended-publishers.ts'
import { attestationsOf } from './record/attestations.ts'
import { signerOf } from './signers.ts'
import { columns, detailOf, findVersion, summaryOf, type VersionRow } from './version-row.ts'

/** Reading packages: the public sees what is published, an organisation its own too, operators everything. */
export function packageRoutes(deps: MarketplaceDeps): Route[] {
  const inScope = <T>(call: Call, id: string, read: (version: VersionRow, tx: Tx) => Promise<T> | T) =>
    deps.db.transaction(async (tx) => read(await findVersion(tx, id), tx), { scope: readerScope(call.principal) })

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const scope = readerScope(call.principal)
    const { where, bindings } = listFilter(call.query, scope)
    const found = await deps.db.transaction(
      (tx) =>
        rows<VersionRow>(
          tx,
          `select ${columns} from marketplace.versions
           where ${[...where, after ? 'id < ?' : 'true'].join(' and ')} order by id desc limit ?`,
          [...bindings, ...(after ?? []), limit + 1],
        ),
      { scope },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    const headers = nextLink(call.path, call.query, next)
    return { status: 200, headers, body: { wpks: items.map(summaryOf), count: items.length, next } }
  }

  async function show(call: Call): Promise<Answer> {
    const body = await inScope(call, call.params.id ?? '', async (version, tx) => ({
      ...detailOf(version),
      signer: await signerOf(tx, version),
    }))
    return { status: 200, body }
  }

  async function content(call: Call): Promise<Answer> {
    return deps.db.transaction(
      async (tx) => {
        const version = await findVersion(tx, call.params.id ?? '')
        const bytes = await readArtifact(tx, version.org, version.digest)
        if (!bytes) throw httpError('not_found', 'no package version with this id')
        return { status: 200, bytes, type: version.media_type, headers: { etag: `"${version.digest}"` } }
      },
      { scope: readerScope(call.principal) },
    )
  }

  async function bundle(call: Call): Promise<Answer> {
    return inScope(call, call.params.id ?? '', (version) => {
      const { mediaType } = version.signature
      return { status: 200, body: version.signature, ...(typeof mediaType === 'string' ? { type: mediaType } : {}) }
    })
  }

  async function verdict(call: Call): Promise<Answer> {
    return inScope(call, call.params.id ?? '', async (version, tx) => {
      if (!version.verdict)
        throw httpError('not_found', 'the analyzer has not judged this version yet; its status says when')
      return { status: 200, body: { ...version.verdict, attestations: await attestationsOf(tx, version) } }
    })
  }

  return [
    openGet('/wpk/list', 'List package versions', list),
    openGet('/wpk/:id', 'One package version: state, reason, next step', show),
    openGet('/wpk/:id/content', 'The exact bytes of a version', content),
    openGet('/wpk/:id/bundle', 'The signature of a version', bundle),
    openGet('/wpk/:id/verdict', 'What the analyzer said', verdict),
  ]
}

/** A caller without a credential is the public here, even where the demo lets it look at an organisation's figures. */
const PUBLIC: Scope = { org: '(public)', operator: false }
const readerScope = (principal: Principal): Scope => (principal.kind === 'visitor' ? PUBLIC : scopeOf(principal))

function listFilter(query: URLSearchParams, { org, operator }: Scope): { where: string[]; bindings: unknown[] } {
  // Who knows the id of a yanked version reads it; lists show it to its owner and the operator only.
  const where: string[] = operator ? [] : ["(status <> 'yanked' or org = ?)", listedPublisher]
  const bindings: unknown[] = operator ? [] : [org, org]
  const add = (name: string, condition: string, value: (text: string) => unknown = (text) => text) => {
    const text = query.get(name)
    if (text === null) return
    if (text.length > 200 || text.includes('\0')) throw httpError('parameter_invalid', `\`${name}\` is not valid`)
    where.push(condition)
    bindings.push(value(text))
  }
  const status = query.get('status')
  if (status !== null && !(statuses as string[]).includes(status))
    throw httpError('parameter_invalid', `\`status\` is one of ${statuses.join(', ')}`)
  add('status', 'status = ?')
  add('publisher', 'org = ?')
  add('tag', '? = any(tags)')
  add('q', "(name || ' ' || description) ilike ?", (text) => `%${text.replace(/[\\%_]/g, '\\$&')}%`)
  return { where, bindings }
}
