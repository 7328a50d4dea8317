import { ok, skip } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import type { Clock } from '../../../platform/clock.ts'
import { execute, row } from '../../../platform/db.ts'
import { wpkRescanned } from '../../../schemas/events/wpk.rescanned.ts'
import type { Verdict } from '../../../schemas/verdict.ts'
import { compareVerdicts } from './compare-verdicts.ts'

/** A stored version was judged anew: kept beside the verdict it was decided on. Its state stays; a person may change it. */
export const onRescanned = (now: Clock): Handler =>
  handler({
    name: 'marketplace.on-rescanned',
    on: wpkRescanned,
    emits: [],
    async handle(event, tx) {
      const { rescan, id, org, verdict } = event.data
      const asked = await row<{ verdict: Verdict | null }>(
        tx,
        `select v.verdict from marketplace.rescanned_versions r
         join marketplace.versions v on v.org = r.org and v.id = r.version_id
         where r.org = ? and r.rescan_id = ? and r.version_id = ? and r.state = 'asked' for update of r`,
        [org, rescan, id],
      )
      if (asked === undefined) return skip('nobody waits for this verdict')
      const { state, reasons } = compareVerdicts(asked.verdict, verdict)
      await execute(
        tx,
        `update marketplace.rescanned_versions set state = ?, reasons = ?, verdict = ?, answered_at = ?
         where org = ? and rescan_id = ? and version_id = ?`,
        [state, reasons, JSON.stringify(verdict), now(), org, rescan, id],
      )
      return ok()
    },
  })
