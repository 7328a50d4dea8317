import { emit, ok, skip } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import { execute } from '../../platform/db.ts'
import { wpkPublished } from '../../schemas/events/wpk.published.ts'
import { wpkRejected } from '../../schemas/events/wpk.rejected.ts'
import { wpkReviewed } from '../../schemas/events/wpk.reviewed.ts'
import { SOURCE } from './deps.ts'
import { isHeldBack } from './record/publish-waiting.ts'

/** A person decided: what was approved goes on to published by itself, what was rejected is announced. */
export const onReviewed = (now: Clock): Handler =>
  handler({
    name: 'marketplace.on-reviewed',
    on: wpkReviewed,
    emits: [wpkPublished, wpkRejected],
    async handle(event, tx) {
      const { id, org, name, version, digest, decision, approver, justification } = event.data
      const at = now()
      const options = { source: SOURCE, now: at, subject: name, causedBy: event }
      if (decision === 'reject') {
        const rejected = { id, org, name, version, digest, reason: justification }
        return ok(emit(wpkRejected, wpkRejected.create(rejected, options)))
      }
      if (decision === 'request_changes') return skip('the publisher has to change something first')
      if (await isHeldBack(tx, { org, id }, at)) return ok()
      const changed = await execute(
        tx,
        `update marketplace.versions set status = 'published', published_at = ?
         where org = ? and id = ? and status = 'approved'`,
        [at, org, id],
      )
      if (changed === 0) return skip('the version is not approved any more')
      const published = { id, org, name, version, digest, published_at: at.toISOString(), approver }
      return ok(emit(wpkPublished, wpkPublished.create(published, options)))
    },
  })
