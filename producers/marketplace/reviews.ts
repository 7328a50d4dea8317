import { type Static, Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, rows, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { closed } from '../../schemas/envelope.ts'
import { ReviewDecision, wpkReviewed } from '../../schemas/events/wpk.reviewed.ts'
import { type MarketplaceDeps, SOURCE } from './deps.ts'
import { marketplaceError } from './errors.ts'
import { mayBecome, statusOfDecision } from './lifecycle.ts'
import { signerFault } from './signers.ts'
import { columns, findVersion, recordSha256, summaryOf, type VersionRow } from './version-row.ts'

const ReviewBody = closed({
  decision: ReviewDecision,
  justification: Type.String({ minLength: 1, maxLength: 4_000, pattern: '\\S' }),
})
type Review = Static<typeof ReviewBody>
const LEASE_MS = 15 * 60_000

/** The verdict queue: a query over state, never a second list, so nothing stays in it after a decision. */
export function reviewRoutes(deps: MarketplaceDeps): Route[] {
  async function queue(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<VersionRow>(
          tx,
          `select ${columns} from marketplace.versions
           where status = 'in_review' ${after ? 'and (due_at, id) > (?::timestamptz, ?::uuid)' : ''}
           order by due_at, id limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ due_at, id }) => [due_at.toISOString(), id])
    const now = deps.now()
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { reviews: items.map((version) => queued(version, now)), next },
    }
  }

  async function claim(call: Call): Promise<Answer> {
    const now = deps.now()
    return deps.db.transaction(
      async (tx) => {
        const version = await findVersion(tx, call.params.id ?? '', 'for update')
        requireOpen(version, call.principal, now)
        const until = new Date(now.getTime() + LEASE_MS)
        await execute(tx, 'update marketplace.versions set claimed_by = ?, claimed_until = ? where id = ?', [
          actorOf(call.principal),
          until,
          version.id,
        ])
        return {
          status: 200,
          body: { id: version.id, claimed_by: actorOf(call.principal), claimed_until: until.toISOString() },
        }
      },
      { scope: scopeOf(call.principal) },
    )
  }

  async function decide(call: Call): Promise<Answer> {
    const review = checked(ReviewBody, jsonBody(call))
    const scope = scopeOf(call.principal)
    const { name } = await deps.db.transaction((tx) => findVersion(tx, call.params.id ?? ''), { scope })
    const status = await deps.db.transaction((tx) => record(tx, call, review), {
      scope,
      locks: [keyLock(wpkReviewed.topic, name)],
    })
    fault('review.after-commit')
    deps.wake()
    return { status: 200, body: { id: call.params.id, status } }
  }

  async function record(tx: Tx, call: Call, { decision, justification }: Review): Promise<string> {
    const now = deps.now()
    const version = await findVersion(tx, call.params.id ?? '', 'for update')
    requireOpen(version, call.principal, now)
    const status = statusOfDecision[decision]
    const revoked = decision === 'approve' ? await signerFault(tx, version) : null
    if (revoked !== null) throw marketplaceError('signer_revoked', revoked)
    if (decision === 'approve' && version.publisher_suspended)
      throw marketplaceError('publisher_suspended', 'nothing of a suspended organisation is published')
    const before = recordSha256(version)
    const after = recordSha256({ ...version, status, reason: justification })
    const approver = actorOf(call.principal)
    await execute(
      tx,
      `update marketplace.versions
       set status = ?, reason = ?, claimed_by = ?, claimed_until = null where org = ? and id = ?`,
      [status, justification, approver, version.org, version.id],
    )
    fault('review.after-version')
    await recordDecision(tx, { version, decision, approver, kind: 'person', justification, before, after, now })
    fault('review.after-decision')
    const { id, org, name, digest } = version
    const event = wpkReviewed.create(
      { id, org, name, version: version.version, digest, decision, approver, justification, before, after },
      { source: SOURCE, now, subject: name, traceparent: call.traceparent },
    )
    await publish(tx, wpkReviewed, [event])
    fault('review.before-commit')
    return status
  }

  const access = { roles: ['reviewer'] as const }
  return [
    { method: 'GET', path: '/reviews', summary: 'The review queue, most urgent first', access, handle: queue },
    { method: 'POST', path: '/reviews/:id/claim', summary: 'Hold an item for 15 minutes', access, handle: claim },
    { method: 'POST', path: '/wpk/review/:id', summary: 'Decide on a version', access, handle: decide },
  ]
}

export type NewDecision = {
  version: VersionRow
  decision: string
  approver: string
  kind: 'person' | 'machine'
  justification: string
  before: string
  after: string
  now: Date
}

/** Appends to the record of decisions; it is never changed afterwards. */
export async function recordDecision(tx: Tx, made: NewDecision): Promise<void> {
  const { version, decision, approver, kind, justification, before, after, now } = made
  await execute(
    tx,
    `insert into marketplace.decisions (org, id, version_id, decision, approver, approver_kind, justification,
       before_sha256, after_sha256, decided_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [version.org, uuidv7(), version.id, decision, approver, kind, justification, before, after, now],
  )
}

function requireOpen(version: VersionRow, principal: Principal, now: Date): void {
  if (version.org === principal.org)
    throw marketplaceError('own_package', 'somebody outside your organisation must decide on this package')
  if (version.status !== 'in_review' || !mayBecome(version.status, 'approved'))
    throw marketplaceError('already_decided', `the version is ${version.status}, not in_review`)
  const held = version.claimed_until !== null && version.claimed_until > now
  if (held && version.claimed_by !== actorOf(principal))
    throw marketplaceError(
      'claimed_by_another',
      `held by ${version.claimed_by} until ${version.claimed_until?.toISOString()}`,
    )
}

/** A person as decisions and events name it. */
export const actorOf = (principal: Principal): string => `${principal.subject}@${principal.org}`

const queued = (version: VersionRow, now: Date) => ({
  id: version.id,
  wpk: summaryOf(version),
  risk_score: version.risk_score === null ? null : Number(version.risk_score),
  age_seconds: Math.max(0, Math.floor((now.getTime() - version.submitted_at.getTime()) / 1000)),
  due_at: version.due_at.toISOString(),
  claimed_by: version.claimed_until && version.claimed_until > now ? version.claimed_by : null,
  reason: version.reason,
  findings: version.verdict?.violations ?? [],
  capabilities: version.verdict?.capabilities ?? [],
})
