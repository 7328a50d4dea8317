import { scopeOf } from '../../../platform/auth/principal.ts'
import { type Db, row, rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { MarketplaceDeps } from '../deps.ts'
import { columns, summaryOf, type VersionRow } from '../version-row.ts'
import { type Approvals, approvalsOf } from './approvals.ts'
import { actorOf, holderOf } from './reviewable.ts'

/** What the analyzer has not judged may be anything: it stands before all others. The indexes use the same text. */
const RISK = 'coalesce(risk_score, 2)'

/** The orders of the queue: where a cursor stands in it, and what comes after that. */
const SORTS = {
  due: {
    cursor: ['time', 'uuid'],
    after: '(due_at, id) > (?::timestamptz, ?::uuid)',
    order: 'due_at, id',
    keyOf: ({ due_at, id }: VersionRow) => [due_at.toISOString(), id],
  },
  age: {
    cursor: ['time', 'uuid'],
    after: '(submitted_at, id) > (?::timestamptz, ?::uuid)',
    order: 'submitted_at, id',
    keyOf: ({ submitted_at, id }: VersionRow) => [submitted_at.toISOString(), id],
  },
  risk: {
    cursor: ['decimal', 'uuid'],
    after: `(-${RISK}, id) > (-(?::numeric), ?::uuid)`,
    order: `${RISK} desc, id`,
    keyOf: ({ risk_score, id }: VersionRow) => [risk_score ?? '2', id],
  },
} as const

/** The verdict queue: a query over state, never a second list, so nothing stays in it after a decision. */
export function queueRoute(deps: MarketplaceDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const now = deps.now()
    const sort = sortOf(call.query)
    const claimed = claimFilter(call, now)
    const { limit, after } = pageRequest(call.query, sort.cursor)
    const where = ["status = 'in_review'", claimed.where, after ? sort.after : 'true'].join(' and ')
    const { found, approvals } = await deps.db.transaction(
      async (tx) => {
        const found = await rows<VersionRow>(
          tx,
          `select ${columns} from marketplace.versions where ${where} order by ${sort.order} limit ?`,
          [...claimed.bindings, ...(after ?? []), limit + 1],
        )
        return { found, approvals: await approvalsOf(tx, found) }
      },
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (version) => [...sort.keyOf(version)])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { reviews: items.map((one) => queued(one, approvals.get(one.id), now)), next },
    }
  }
  const access = { roles: ['reviewer'] as const }
  return { method: 'GET', path: '/reviews', summary: 'The review queue, most urgent first', access, handle }
}

function sortOf(query: URLSearchParams) {
  const name = query.get('sort') ?? 'due'
  if (!Object.hasOwn(SORTS, name)) throw httpError('parameter_invalid', '`sort` is one of due, risk, age')
  return SORTS[name as keyof typeof SORTS]
}

function claimFilter({ query, principal }: Call, now: Date): { where: string; bindings: unknown[] } {
  const claimedBy = query.get('claimed_by')
  if (claimedBy === null) return { where: 'true', bindings: [] }
  if (claimedBy === 'me') return { where: 'claimed_by = ? and claimed_until > ?', bindings: [actorOf(principal), now] }
  if (claimedBy === 'nobody') return { where: '(claimed_until is null or claimed_until <= ?)', bindings: [now] }
  throw httpError('parameter_invalid', '`claimed_by` is `me` or `nobody`')
}

/** One item of the queue. */
export const queued = (version: VersionRow, approvals: Approvals | undefined, now: Date) => ({
  id: version.id,
  wpk: summaryOf(version),
  risk_score: version.risk_score === null ? null : Number(version.risk_score),
  age_seconds: Math.max(0, Math.floor((now.getTime() - version.submitted_at.getTime()) / 1000)),
  due_at: version.due_at.toISOString(),
  overdue: version.due_at < now,
  claimed_by: holderOf(version, now),
  claimed_until: holderOf(version, now) === null ? null : (version.claimed_until?.toISOString() ?? null),
  reason: version.reason,
  resubmission_of: version.resubmission_of,
  approvals: approvals?.by.length ?? 0,
  approvals_needed: approvals?.needed ?? 1,
  findings: version.verdict?.violations ?? [],
  capabilities: version.verdict?.capabilities ?? [],
})

/** Farther back than this a place says nothing that a person could use, and counting it would cost. */
const FARTHEST = 1_000
/** Where a version stands in the queue, by its due date: 1 is next. Null when it waits for nobody or is far behind. */
export type PlaceOf = (version: Pick<VersionRow, 'status' | 'due_at' | 'id'>) => Promise<number | null>

/** Counts over all organisations, so it needs the marketplace's own pool: a publisher sees none but its own. */
export const placeInQueue =
  (allTenants: Db): PlaceOf =>
  async ({ status, due_at, id }) => {
    if (status !== 'in_review') return null
    const ahead = await allTenants.transaction((tx: Tx) =>
      row<{ n: number }>(
        tx,
        `select count(*)::int as n from (select 1 from marketplace.versions
         where status = 'in_review' and (due_at, id) < (?::timestamptz, ?::uuid) limit ?) ahead`,
        [due_at, id, FARTHEST],
      ),
    )
    const place = (ahead?.n ?? 0) + 1
    return place > FARTHEST ? null : place
  }
