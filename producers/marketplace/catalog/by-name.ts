import semver from 'semver'
import { rows, type Scope, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { type SummaryRow, summaryColumns, summaryOf } from '../version-row.ts'
import { readerScope } from './reader.ts'

/** No version is longer (schemas/wpk.ts), and a range of more text than this nobody wrote by hand. */
const MAX_RANGE = 256
/** Versions looked at in one statement while a range is resolved. */
const BATCH = 500

/** The versions of a name in the order of Semantic Versioning, and the best of them for a range. */
export function byNameRoutes(deps: Pick<MarketplaceDeps, 'db'>): Route[] {
  async function versions(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text', 'uuid'])
    const name = call.params.name ?? ''
    const scope = readerScope(call.principal)
    return deps.db.transaction(
      async (tx) => {
        const found = await newestFirst(tx, name, limit + 1, after)
        const { items, next } = page(found, limit, ({ version, id }) => [version, id])
        const latest = (await latestOf(tx, name)) ?? null
        if (found.length === 0 && after === null) throw httpError('not_found', 'no package with this name')
        for (const version of latest ? [latest, ...found] : found) requireListed(version, scope)
        const headers = nextLink(call.path, call.query, next)
        const body = { name, latest: latest && summaryOf(latest), versions: items.map(summaryOf), next }
        return { status: 200, headers, body }
      },
      { scope },
    )
  }

  async function resolve(call: Call): Promise<Answer> {
    const name = required(call.query, 'name')
    const range = rangeOf(call.query.get('range') ?? '*')
    const scope = readerScope(call.principal)
    const best = await deps.db.transaction((tx) => bestOf(tx, name, range), { scope })
    requireListed(best, scope)
    return { status: 200, body: summaryOf(best) }
  }

  return [
    openGet('/wpk/by-name/:name', 'All versions of a package, newest first', versions),
    openGet('/wpk/resolve', 'The best published version of a package for a range', resolve),
  ]
}

/** Newcomers find nothing of a suspended publisher by its name; who has a version reads it by its id. */
function requireListed({ publisher_suspended, org, name }: SummaryRow, scope: Scope): void {
  if (publisher_suspended && org !== scope.org && !scope.operator)
    throw marketplaceError('no_version_fits', `the publisher of ${name} is suspended`)
}

function newestFirst(tx: Tx, name: string, limit: number, after: string[] | null): Promise<SummaryRow[]> {
  return rows<SummaryRow>(
    tx,
    `select ${summaryColumns} from marketplace.versions
     where name = ? ${after ? 'and (precedence, id) < (marketplace.precedence(?), ?::uuid)' : ''}
     order by precedence desc, id desc limit ?`,
    [name, ...(after ?? []), limit],
  )
}

/** The highest version that everybody should use: published, and no pre-release. */
async function latestOf(tx: Tx, name: string): Promise<SummaryRow | undefined> {
  const found = await rows<SummaryRow>(
    tx,
    `select ${summaryColumns} from marketplace.versions
     where name = ? and status = 'published' and precedence like '%~'
     order by precedence desc, id desc limit 1`,
    [name],
  )
  return found[0]
}

/** The highest published version in the range, else the highest deprecated one; a yanked one by its number only. */
async function bestOf(tx: Tx, name: string, range: semver.Range): Promise<SummaryRow> {
  const exact = semver.parse(range.raw.replace(/^=\s*/, ''))
  let deprecated: SummaryRow | undefined
  let known = false
  let after: string[] | null = null
  do {
    const batch: SummaryRow[] = await newestFirst(tx, name, BATCH, after)
    for (const version of batch) {
      known = true
      // Null where a number is too large for the library; such a version has its id.
      const parsed = semver.parse(version.version)
      const fits = parsed !== null && (exact === null ? range.test(parsed) : isSame(exact, parsed))
      if (!fits) continue
      if (version.status === 'published' || (version.status === 'yanked' && exact !== null)) return version
      if (version.status === 'deprecated') deprecated ??= version
    }
    const last = batch.at(-1)
    after = batch.length === BATCH && last ? [last.version, last.id] : null
  } while (after !== null)
  if (deprecated) return deprecated
  if (!known) throw httpError('not_found', 'no package with this name')
  throw marketplaceError('no_version_fits', `no published version of ${name} is in the range ${range.raw || '*'}`)
}

/** 1.2.3 and 1.2.3+b both fit what is asked for as 1.2.3; who asks for 1.2.3+b wants that one. */
function isSame(asked: semver.SemVer, version: semver.SemVer): boolean {
  return asked.build.length === 0 ? asked.compare(version) === 0 : asked.compareBuild(version) === 0
}

function rangeOf(text: string): semver.Range {
  try {
    if (text.length <= MAX_RANGE) return new semver.Range(text)
  } catch {
    // The library says no more than that it is not a range.
  }
  const detail = 'is not a range of versions, such as ^1.2.0, 1.x or >=1.0.0 <2.0.0'
  throw httpError('parameter_invalid', `\`range\` ${detail}`, {
    errors: [{ pointer: '/range', code: 'range_invalid', detail }],
  })
}

function required(query: URLSearchParams, name: string): string {
  const text = query.get(name)
  if (text !== null && text !== '' && text.length <= 128 && !text.includes('\0')) return text
  throw httpError('parameter_invalid', `\`${name}\` is missing or not valid`, {
    errors: [{ pointer: `/${name}`, code: 'required', detail: 'is missing or not valid' }],
  })
}
