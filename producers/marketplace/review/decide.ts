import { type Static, Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed } from '../../../schemas/envelope.ts'
import { ReviewDecision, wpkReviewed } from '../../../schemas/events/wpk.reviewed.ts'
import { currentPolicy } from '../../../schemas/policy/policy-document.ts'
import { type MarketplaceDeps, SOURCE } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { statusOfDecision } from '../lifecycle.ts'
import { signerFault } from '../signers.ts'
import { findVersion, recordSha256, type VersionRow } from '../version-row.ts'
import { type Approvals, approvalsOf } from './approvals.ts'
import { recordDecision } from './decisions.ts'
import { justificationOf } from './justification.ts'
import { Acceptance, acceptFindings, confirmFindings } from './overrides.ts'
import { actorOf, requireOpen } from './reviewable.ts'

const ReviewBody = closed({
  decision: ReviewDecision,
  justification: Type.Optional(Type.String({ minLength: 1, maxLength: 4_000, pattern: '\\S' })),
  /** A reason of GET /reviews/templates; the justification is added to it. */
  template: Type.Optional(Type.String({ maxLength: 64 })),
  /** Findings that shall not hold the next version. */
  accept: Type.Optional(Type.Array(Acceptance, { maxItems: 50 })),
})
type Review = Static<typeof ReviewBody> & { justification: string }
type Made = { tx: Tx; call: Call; version: VersionRow; review: Review; now: Date }

/** POST /wpk/review/{id}: one decision a version; one with a critical finding is approved by two people. */
export function decideRoute(deps: MarketplaceDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const given = checked(ReviewBody, jsonBody(call))
    const scope = scopeOf(call.principal)
    const { name } = await deps.db.transaction((tx) => findVersion(tx, call.params.id ?? ''), { scope })
    const answer = await deps.db.transaction((tx) => decide(tx, call, given), {
      scope,
      locks: [keyLock(wpkReviewed.topic, name)],
    })
    fault('review.after-commit')
    deps.wake()
    return answer
  }

  async function decide(tx: Tx, call: Call, given: Static<typeof ReviewBody>): Promise<Answer> {
    const now = deps.now()
    const version = await findVersion(tx, call.params.id ?? '', 'for update')
    const review = { ...given, justification: justificationOf(given, version) }
    if (given.accept && given.decision !== 'approve') throw acceptedWithout(given.decision)
    const me = actorOf(call.principal)
    const { by, needed: byFindings } = (await approvalsOf(tx, [version])).get(version.id) as Approvals
    // To accept a critical finding for later versions always takes two, whatever this version takes.
    const needed = acceptsCritical(version, given.accept) ? currentPolicy.approvals.needed_for_critical : byFindings
    // Said twice, an approval counts once, also when somebody else holds the item by now.
    if (review.decision === 'approve' && version.status === 'in_review' && by.includes(me)) {
      await acceptFindings(tx, version, given.accept ?? [], me, now)
      return endorsed(version, by.length, needed)
    }
    requireOpen(version, call.principal, now)
    const made: Made = { tx, call, version, review, now }
    if (review.decision !== 'approve') return settle(made, [])
    const revoked = await signerFault(tx, version)
    if (revoked !== null) throw marketplaceError('signer_revoked', revoked)
    if (version.publisher_suspended)
      throw marketplaceError('publisher_suspended', 'nothing of a suspended organisation is published')
    await acceptFindings(tx, version, given.accept ?? [], me, now)
    fault('review.after-acceptance')
    if (by.length + 1 >= needed) {
      await confirmFindings(tx, version, given.accept ?? [], me, now)
      fault('review.after-confirmation')
      return settle(made, [...by, me])
    }
    await endorse(made)
    return endorsed(version, by.length + 1, needed)
  }

  return {
    method: 'POST',
    path: '/wpk/review/:id',
    summary: 'Decide on a version',
    access: { roles: ['reviewer'] },
    handle,
  }
}

const acceptsCritical = ({ verdict }: VersionRow, accept: readonly Acceptance[] = []): boolean =>
  verdict?.violations.some(
    ({ severity, fingerprint }) => severity === 'critical' && accept.some((one) => one.fingerprint === fingerprint),
  ) ?? false

const acceptedWithout = (decision: string) =>
  httpError('body_malformed', `/accept goes with approve, not with ${decision}`, {
    errors: [{ pointer: '/accept', code: 'only_with_approve', detail: 'goes with `approve` only' }],
  })

const endorsed = ({ id, status }: VersionRow, approvals: number, needed: number): Answer => ({
  status: 202,
  body: { id, status, approvals, needed },
})

/** An approval that is one too few: recorded, and the item is free for a second person. */
async function endorse({ tx, call, version, review, now }: Made): Promise<void> {
  const unchanged = recordSha256(version)
  const { justification, template = null } = review
  const approver = actorOf(call.principal)
  await recordDecision(tx, {
    ...{ version, decision: 'endorse', approver, kind: 'person', justification, template, now },
    ...{ before: unchanged, after: unchanged },
  })
  fault('review.after-endorsement')
  await execute(
    tx,
    'update marketplace.versions set claimed_by = null, claimed_until = null where org = ? and id = ?',
    [version.org, version.id],
  )
  fault('review.after-endorsed')
}

/** Carries the decision out: state, record and event. `approvals` are all who approved, the caller last. */
async function settle({ tx, call, version, review, now }: Made, approvals: string[]): Promise<Answer> {
  const { decision, justification, template = null } = review
  const status = statusOfDecision[decision]
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
  await recordDecision(tx, { version, decision, approver, kind: 'person', justification, template, before, after, now })
  fault('review.after-decision')
  const { id, org, name, digest } = version
  const policy_version = currentPolicy.version
  const event = wpkReviewed.create(
    {
      ...{ id, org, name, version: version.version, digest, decision, approver, justification, before, after },
      ...{ policy_version, ...(approvals.length > 1 ? { approvals } : {}) },
    },
    { source: SOURCE, now, subject: name, traceparent: call.traceparent },
  )
  await publish(tx, wpkReviewed, [event])
  fault('review.before-commit')
  return { status: 200, body: { id, status } }
}
