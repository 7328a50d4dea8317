import { uuidv7 } from 'uuidv7'
import { execute, type Tx } from '../../../platform/db.ts'
import { currentPolicy } from '../../../schemas/policy/policy-document.ts'
import type { VersionRow } from '../version-row.ts'

export type NewDecision = {
  version: VersionRow
  decision: string
  approver: string
  kind: 'person' | 'machine'
  justification: string
  before: string
  after: string
  now: Date
  /** The reason template it was made with. */
  template?: string | null
  /** The policy it was made under, the current one unless said. */
  policy?: number
}

/** Appends to the record of decisions; it is never changed afterwards. */
export async function recordDecision(tx: Tx, made: NewDecision): Promise<void> {
  const { version, decision, approver, kind, justification, before, after, now } = made
  const { template = null, policy = currentPolicy.version } = made
  await execute(
    tx,
    `insert into marketplace.decisions (org, id, version_id, decision, approver, approver_kind, justification,
       before_sha256, after_sha256, decided_at, policy_version, template) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [version.org, uuidv7(), version.id, decision, approver, kind, justification, before, after, now, policy, template],
  )
}
