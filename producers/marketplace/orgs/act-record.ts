import type { Principal } from '../../../platform/auth/principal.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import { actorOf } from '../review/reviewable.ts'

export type OrgAct = 'org_created' | 'org_suspended' | 'org_reactivated' | 'member_set' | 'member_removed'

/** Hands an act on an organisation to the audit log, in the transaction of its change. */
export async function recordAct(
  tx: Tx,
  act: { kind: OrgAct; org: string; subject: string; by: Principal; at: Date; detail?: object },
): Promise<void> {
  const { kind, org, subject, by, at, detail } = act
  await execute(tx, 'insert into marketplace.to_record (org, kind, subject, at, detail) values (?, ?, ?, ?, ?)', [
    org,
    kind,
    subject,
    at,
    JSON.stringify({ ...detail, by: actorOf(by) }),
  ])
}
