import { emit, ok, skip } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import { execute, row } from '../../platform/db.ts'
import { wpkPublished } from '../../schemas/events/wpk.published.ts'
import { wpkVerdict } from '../../schemas/events/wpk.verdict.ts'
import { SOURCE } from './deps.ts'
import { mayBecome } from './lifecycle.ts'
import { decideByPolicy } from './publishing-policy.ts'
import { recordDecision } from './reviews.ts'
import { signerFault } from './signers.ts'
import { columns, recordSha256, type VersionRow } from './version-row.ts'

/** The analyzer spoke: the version is published where the policy lets a machine do that, else it joins the queue. */
export const onVerdict = (now: Clock): Handler =>
  handler({
    name: 'marketplace.on-verdict',
    on: wpkVerdict,
    emits: [wpkPublished],
    async handle(event, tx) {
      const { id, org, name, version, digest, verdict } = event.data
      const current = await row<VersionRow>(
        tx,
        `select ${columns} from marketplace.versions where org = ? and id = ? for update`,
        [org, id],
      )
      const awaited = current && (mayBecome(current.status, 'in_review') || unanswered(current))
      if (!current || !awaited) return skip('the version is past its analysis')
      const approved = await row<{ capabilities: string[] }>(
        tx,
        `select coalesce(v.verdict->'capabilities', '[]') as capabilities
         from marketplace.decisions d join marketplace.versions v on v.org = d.org and v.id = d.version_id
         where d.org = ? and v.name = ? and d.decision = 'approve' and d.approver_kind = 'person'
           and v.status <> 'blocked'
         order by d.decided_at desc limit 1`,
        [org, name],
      )
      const barred = current.publisher_suspended ? 'its publisher is suspended' : await signerFault(tx, current)
      const decision = decideByPolicy(verdict, current.safety_mode, approved ?? null, barred)
      const at = now()
      const status = decision.publish ? 'published' : 'in_review'
      await execute(
        tx,
        `update marketplace.versions set status = ?, reason = ?, verdict = ?, risk_score = ?, published_at = ?
         where org = ? and id = ?`,
        [status, decision.reason, JSON.stringify(verdict), verdict.risk_score, decision.publish ? at : null, org, id],
      )
      if (!decision.publish) return ok()
      await recordDecision(tx, {
        version: current,
        decision: 'approve',
        approver: SOURCE,
        kind: 'machine',
        justification: decision.reason,
        before: recordSha256(current),
        after: recordSha256({ ...current, status, reason: decision.reason }),
        now: at,
      })
      const published = wpkPublished.create(
        { id, org, name, version, digest, published_at: at.toISOString(), approver: SOURCE },
        { source: SOURCE, now: at, subject: name, causedBy: event },
      )
      return ok(emit(wpkPublished, published))
    },
  })

/** Queued because the analyzer was silent: its verdict is welcome as long as nobody has decided. */
const unanswered = ({ status, verdict }: VersionRow): boolean => status === 'in_review' && verdict === null
