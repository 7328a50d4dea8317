import { rows, type Tx } from '../../../platform/db.ts'
import type { AcceptedFinding } from '../policy/decide-by-policy.ts'
import type { VersionRow } from '../version-row.ts'

/** Findings that count for nothing in a verdict on this package now. */
export async function acceptedFindings(tx: Tx, { org, name }: VersionRow, now: Date): Promise<AcceptedFinding[]> {
  const found = await rows<{ fingerprint: string; risk_score: string }>(
    tx,
    `select fingerprint, max(risk_score) as risk_score from marketplace.overrides
     where org = ? and name = ? and confirmed_at is not null and revoked_at is null and expires_at > ?
     group by fingerprint`,
    [org, name, now],
  )
  return found.map(({ fingerprint, risk_score }) => ({ fingerprint, risk_score: Number(risk_score) }))
}
