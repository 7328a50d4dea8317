import type { Principal } from '../../../platform/auth/principal.ts'
import { publish } from '../../../platform/bus/outbox.ts'
import { execute, rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { wpkRejected } from '../../../schemas/events/wpk.rejected.ts'
import { SOURCE } from '../deps.ts'
import { columns, recordSha256, threadOf, type VersionRow } from '../version-row.ts'
import { recordDecision } from './decisions.ts'
import { actorOf } from './reviewable.ts'

export type Predecessor = { thread_id: string | null; resubmission_of: string | null; open: VersionRow[] }

/** The versions of a package whose publisher was asked for changes: what it uploads now goes on in their thread. */
export async function predecessorOf(tx: Tx, org: string, name: string): Promise<Predecessor> {
  const open = await rows<VersionRow>(
    tx,
    `select ${columns} from marketplace.versions where org = ? and name = ? and status = 'changes_requested'
     order by submitted_at desc, id desc`,
    [org, name],
  )
  const [newest] = open
  return { thread_id: newest ? threadOf(newest) : null, resubmission_of: newest?.id ?? null, open }
}

type By = { version: string; principal: Principal; now: Date; traceparent: string }

/** Closes what the new version answers: nobody waits for it any more. The caller holds the lock of the name. */
export async function supersede(tx: Tx, open: readonly VersionRow[], by: By): Promise<void> {
  const { version: newer, principal, now, traceparent } = by
  const reason = `Superseded by ${newer}, which answers the requested changes.`
  for (const version of open) {
    const { id, org, name, digest } = version
    await execute(
      tx,
      `update marketplace.versions set status = 'rejected', reason = ?
       where org = ? and id = ? and status = 'changes_requested'`,
      [reason, org, id],
    )
    fault('resubmit.after-version')
    await recordDecision(tx, {
      ...{ version, decision: 'supersede', approver: actorOf(principal), kind: 'person', justification: reason, now },
      before: recordSha256(version),
      after: recordSha256({ ...version, status: 'rejected', reason }),
    })
    fault('resubmit.after-decision')
    const said = { id, org, name, version: version.version, digest, reason }
    await publish(tx, wpkRejected, [wpkRejected.create(said, { source: SOURCE, now, subject: name, traceparent })])
    fault('resubmit.after-event')
  }
}
