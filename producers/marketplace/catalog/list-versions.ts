import { type Db, rows, type Scope } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, openGet, type Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { statuses } from '../lifecycle.ts'
import { publisherListed } from '../orgs/suspended-publishers.ts'
import { type SummaryRow, summaryColumns, summaryOf } from '../version-row.ts'
import { readerScope } from './reader.ts'
import { searchQuery } from './search-query.ts'

type Condition = { sql: string; bindings: unknown[] }
/** A place in a list: how well the version fits what is asked for, then the newest first. Neither ever changes. */
type Place = { fit: number; id: string }

/**
 * GET /wpk/list. Row security keeps the planner from every index whose operator might tell of a hidden row, text search
 * among them. So the role that sees everything finds the places, by a condition of its own on who may see what, and the
 * rows are read as the caller: what row security hides is not answered, whatever that condition says.
 */
export function listRoute({ db }: Pick<MarketplaceDeps, 'db'>, allTenants: Db): Route {
  async function list(call: Call): Promise<Answer> {
    const q = parameter(call.query, 'q')?.trim()
    const { limit, after } = pageRequest(call.query, q ? ['integer', 'uuid'] : ['uuid'])
    const scope = readerScope(call.principal)
    const from = after && { fit: q ? Number(after[0]) : 0, id: after.at(-1) as string }
    const filters = [seenBy(scope), ...filtersOf(call.query)]
    const places = await placesOf(allTenants, q ? fits(q) : [everything], filters, from, limit + 1)
    const { items, next } = page(places, limit, ({ fit, id }) => (q ? [String(fit), id] : [id]))
    const versions = await db.transaction((tx) => summaries(tx, items), { scope })
    const headers = nextLink(call.path, call.query, next)
    return { status: 200, headers, body: { wpks: versions.map(summaryOf), count: versions.length, next } }
  }
  return openGet('/wpk/list', 'List and search package versions', list)
}

/** A list of everything has one kind of place. */
const everything: Condition = { sql: 'true', bindings: [] }

/** Kinds of places from the best on: the name itself, all words in the name, all words anywhere. */
function fits(q: string): Condition[] {
  const { text, inNames } = searchQuery(q)
  // A text of stop words only has no stems to look for, but is perhaps a name.
  const anywhere = {
    sql: `search_words @@ (case when numnode(websearch_to_tsquery('english', ?)) > 0
      then websearch_to_tsquery('english', ?) else websearch_to_tsquery('simple', ?) end)`,
    bindings: [text, text, text],
  }
  const named = { sql: 'name = ?', bindings: [q.toLowerCase()] }
  const words = inNames === null ? [] : [{ sql: "name_words @@ to_tsquery('simple', ?)", bindings: [inNames] }]
  return [named, ...words, anywhere]
}

/** Places in order, from `after` on. A kind is asked for only when those before it did not fill the page. */
async function placesOf(
  db: Db,
  kinds: readonly Condition[],
  filters: readonly Condition[],
  after: Place | null,
  count: number,
): Promise<Place[]> {
  const found: Place[] = []
  for (const [fit, kind] of kinds.entries()) {
    if (found.length === count || fit < (after?.fit ?? 0)) continue
    const better = kinds.slice(0, fit).map(({ sql, bindings }) => ({ sql: `not (${sql})`, bindings }))
    const further = after?.fit === fit ? [{ sql: 'id < ?', bindings: [after.id] }] : []
    const conditions = [kind, ...better, ...filters, ...further]
    const ids = await db.query<{ id: string }>(
      `select id from marketplace.versions where ${conditions.map(({ sql }) => sql).join(' and ')}
       order by id desc limit ?`,
      [...conditions.flatMap(({ bindings }) => bindings), count - found.length],
    )
    found.push(...ids.map(({ id }) => ({ fit, id })))
  }
  return found
}

async function summaries(tx: Parameters<typeof rows>[0], places: readonly Place[]): Promise<SummaryRow[]> {
  const found = await rows<SummaryRow>(
    tx,
    `select ${summaryColumns} from marketplace.versions where id = any(?::uuid[])`,
    [places.map(({ id }) => id)],
  )
  const byId = new Map(found.map((version) => [version.id, version]))
  return places.flatMap(({ id }) => byId.get(id) ?? [])
}

/** Who knows the id of a yanked version reads it; lists show it to its owner and the operator only. */
function seenBy({ org, operator }: Scope): Condition {
  if (operator) return everything
  return {
    sql: `(org = ? or (status in ('published', 'deprecated') and ${publisherListed} and (visibility = 'public'
      or name in (select r.name from marketplace.name_readers r where r.reader = ?))))`,
    bindings: [org, org],
  }
}

function filtersOf(query: URLSearchParams): Condition[] {
  const status = query.get('status')
  if (status !== null && !(statuses as string[]).includes(status))
    throw httpError('parameter_invalid', `\`status\` is one of ${statuses.join(', ')}`)
  return [
    { name: 'status', sql: 'status = ?' },
    { name: 'publisher', sql: 'org = ?' },
    { name: 'tag', sql: 'tags @> array[?::text]' },
  ].flatMap(({ name, sql }) => {
    const text = parameter(query, name)
    return text === null ? [] : [{ sql, bindings: [text] }]
  })
}

function parameter(query: URLSearchParams, name: string): string | null {
  const text = query.get(name)
  if (text !== null && (text.length > 200 || text.includes('\0')))
    throw httpError('parameter_invalid', `\`${name}\` is not valid`)
  return text
}
