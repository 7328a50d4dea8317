import { rows, type Tx } from '../../../platform/db.ts'
import { currentPolicy, type PolicyDocument } from '../../../schemas/policy/policy-document.ts'
import type { VersionRow } from '../version-row.ts'

/** Who approved a version so far, oldest first, and how many different people have to. */
export type Approvals = { by: readonly string[]; needed: number }

/** How many people a version takes by its findings. */
export function neededFor({ verdict }: Pick<VersionRow, 'verdict'>, policy: PolicyDocument = currentPolicy): number {
  const { needed, needed_for_critical, one_is_enough_for } = policy.approvals
  const grave = verdict?.violations.some(
    ({ severity, rule_id }) => severity === 'critical' && !one_is_enough_for.includes(rule_id),
  )
  return grave ? needed_for_critical : needed
}

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
      // Who asked for more than the findings do waits for one more all the same.
      return [version.id, { by, needed: Math.max(neededFor(version), by.length > 0 ? by.length + 1 : 0) }]
    }),
  )
}
