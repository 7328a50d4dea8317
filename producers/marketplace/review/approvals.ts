import { rows, type Tx } from '../../../platform/db.ts'
import { currentPolicy } from '../policy/policy-document.ts'
import type { VersionRow } from '../version-row.ts'

/** Who approved a version so far, oldest first, and how many different people have to. */
export type Approvals = { by: readonly string[]; needed: number }

export const needsTwo = ({ verdict }: Pick<VersionRow, 'verdict'>): boolean =>
  verdict?.violations.some(({ severity }) => severity === 'critical') ?? false

/** Approvals of these versions, by id. An approval that was one too few stands in the record as `endorse`. */
export async function approvalsOf(tx: Tx, versions: readonly VersionRow[]): Promise<Map<string, Approvals>> {
  const endorsed = await rows<{ version_id: string; approver: string }>(
    tx,
    `select version_id, approver from marketplace.decisions
     where (org, version_id) in (select * from unnest(?::text[], ?::uuid[])) and decision = 'endorse'
     order by decided_at, id`,
    [versions.map(({ org }) => org), versions.map(({ id }) => id)],
  )
  return new Map(
    versions.map((version) => {
      const by = endorsed.filter(({ version_id }) => version_id === version.id).map(({ approver }) => approver)
      const { needed, needed_for_critical } = currentPolicy.approvals
      return [version.id, { by, needed: needsTwo(version) ? needed_for_critical : needed }]
    }),
  )
}
