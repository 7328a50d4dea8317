import { row, type Tx } from '../../../platform/db.ts'
import { columns, type VersionRow } from '../version-row.ts'

/** The newest other version of the package that a person approved, unless it was blocked since; null for none. */
export async function lastApproved(tx: Tx, { org, name, id }: VersionRow): Promise<VersionRow | null> {
  const found = await row<VersionRow>(
    tx,
    `select ${columns} from marketplace.versions where (org, id) = (
       select d.org, d.version_id from marketplace.decisions d
       join marketplace.versions v on v.org = d.org and v.id = d.version_id
       where d.org = ? and v.name = ? and v.id <> ? and d.decision = 'approve' and d.approver_kind = 'person'
         and v.status <> 'blocked'
       order by d.decided_at desc, d.id desc limit 1)`,
    [org, name, id],
  )
  return found ?? null
}
