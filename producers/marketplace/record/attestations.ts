import { rows, type Tx } from '../../../platform/db.ts'
import type { VersionRow } from '../version-row.ts'

type AttestationRow = { predicate_type: string; bundle: object; created_at: Date }

/** What the marketplace signed about a version, oldest first: its verdict, and each decision. */
export async function attestationsOf(tx: Tx, { org, id }: VersionRow) {
  const found = await rows<AttestationRow>(
    tx,
    `select predicate_type, bundle, created_at from marketplace.attestations
     where org = ? and version_id = ? order by id`,
    [org, id],
  )
  return found.map(({ predicate_type, bundle, created_at }) => ({
    predicate_type,
    signed_at: created_at.toISOString(),
    bundle,
  }))
}
