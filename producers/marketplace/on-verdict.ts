import { emit, ok, skip } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import { execute, row } from '../../platform/db.ts'
import { wpkPublished } from '../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../schemas/events/wpk.rejected.ts'
import { wpkVerdict } from '../../schemas/events/wpk.verdict.ts'
import { currentPolicy, type PolicyDocument } from '../../schemas/policy/policy-document.ts'
import { SOURCE } from './deps.ts'
import { mayBecome } from './lifecycle.ts'
import { decideByPolicy } from './policy/decide-by-policy.ts'
import { isHeldBack } from './record/publish-waiting.ts'
import { recordDecision } from './review/decisions.ts'
import { lastApproved } from './review/last-approved.ts'
import { acceptedFindings } from './review/overrides.ts'
import { signerFault } from './signers.ts'
import { columns, recordSha256, type VersionRow } from './version-row.ts'

/** The analyzer spoke: the version is published or rejected where the policy lets a machine do that, else it joins the queue. */
export const onVerdict = (now: Clock, policy: PolicyDocument = currentPolicy): Handler =>
  handler({
    name: 'marketplace.on-verdict',
    on: wpkVerdict,
    emits: [wpkPublished, wpkRejected],
    async handle(event, tx) {
      const { id, org, name, version, digest, verdict } = event.data
      const current = await row<VersionRow>(
        tx,
        `select ${columns} from marketplace.versions where org = ? and id = ? for update`,
        [org, id],
      )
      const awaited = current && (mayBecome(current.status, 'in_review') || unanswered(current))
      if (!current || !awaited) return skip('the version is past its analysis')
      const approved = await lastApproved(tx, current)
      const at = now()
      const decision = decideByPolicy(verdict, current.safety_mode, approved && approvedOf(approved), {
        signerFault: current.publisher_suspended ? 'its publisher is suspended' : await signerFault(tx, current),
        accepted: await acceptedFindings(tx, current, at),
        policy,
      })
      const { outcome, reason } = decision
      const waits = outcome === 'publish' && (await isHeldBack(tx, current, at))
      const status = waits ? 'approved' : STATUS_OF[outcome]
      await execute(
        tx,
        `update marketplace.versions set status = ?, reason = ?, verdict = ?, risk_score = ?, published_at = ?
         where org = ? and id = ?`,
        [status, reason, JSON.stringify(verdict), verdict.risk_score, status === 'published' ? at : null, org, id],
      )
      if (outcome === 'review') return ok()
      await recordDecision(tx, {
        version: current,
        decision: outcome === 'publish' ? 'approve' : 'reject',
        approver: SOURCE,
        kind: 'machine',
        justification: reason,
        before: recordSha256(current),
        after: recordSha256({ ...current, status, reason }),
        now: at,
        policy: decision.policy,
      })
      const about = { source: SOURCE, now: at, subject: name, causedBy: event }
      if (outcome === 'reject')
        return ok(emit(wpkRejected, wpkRejected.create({ id, org, name, version, digest, reason }, about)))
      if (waits) return ok()
      const published = wpkPublished.create(
        { id, org, name, version, digest, published_at: at.toISOString(), approver: SOURCE },
        about,
      )
      return ok(emit(wpkPublished, published))
    },
  })

const approvedOf = ({ verdict }: VersionRow) => ({
  capabilities: verdict?.capabilities ?? [],
  fingerprints: verdict?.violations.map(({ fingerprint }) => fingerprint) ?? [],
})

const STATUS_OF = { publish: 'published', reject: 'rejected', review: 'in_review' } as const

/** Queued because the analyzer was silent: its verdict is welcome as long as nobody has decided. */
const unanswered = ({ status, verdict }: VersionRow): boolean => status === 'in_review' && verdict === null
