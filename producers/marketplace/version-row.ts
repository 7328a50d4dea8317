import { createHash } from 'node:crypto'
import { row, type Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { isUuid } from '../../platform/uuid.ts'
import type { Verdict } from '../../schemas/verdict.ts'
import { nextStep, type Status } from './lifecycle.ts'
import { publisherSuspended } from './orgs/suspended-publishers.ts'

/** A package version as stored. */
export type VersionRow = {
  id: string
  org: string
  name: string
  version: string
  digest: string
  media_type: string
  description: string
  tags: string[]
  safety_mode: 'manual' | 'auto'
  status: Status
  reason: string
  key_id: string
  signature_form: 'detached' | 'bundle'
  signature: Record<string, unknown>
  verdict: Verdict | null
  risk_score: string | null
  submitted_at: Date
  signed_at: Date | null
  due_at: Date
  published_at: Date | null
  claimed_by: string | null
  claimed_until: Date | null
  publisher_suspended: boolean
}

export const columns = `id, org, name, version, digest, media_type, description, tags, safety_mode, status, reason, key_id,
  signature_form, signature, verdict, risk_score, submitted_at, signed_at, due_at, published_at, claimed_by, claimed_until,
  ${publisherSuspended}`

/** One version by id, locked when asked. What the scope does not see is answered like what does not exist. */
export async function findVersion(tx: Tx, id: string, lock: '' | 'for update' = ''): Promise<VersionRow> {
  const found = isUuid(id)
    ? await row<VersionRow>(tx, `select ${columns} from marketplace.versions where id = ? ${lock}`, [id])
    : undefined
  if (!found) throw httpError('not_found', 'no package version with this id')
  return found
}

/** The hash of what a decision changes, for the record that P-3 asks for. */
export function recordSha256(version: Pick<VersionRow, 'id' | 'digest' | 'status' | 'reason'>): string {
  const { id, digest, status, reason } = version
  return `sha256:${createHash('sha256').update(JSON.stringify({ id, digest, status, reason })).digest('hex')}`
}

/** A version in a list. */
export const summaryOf = (version: VersionRow) => ({
  id: version.id,
  name: version.name,
  version: version.version,
  publisher: version.org,
  publisher_suspended: version.publisher_suspended,
  description: version.description,
  tags: version.tags,
  status: version.status,
  digest: version.digest,
  published_at: version.published_at?.toISOString() ?? null,
  risk_score: version.risk_score === null ? null : Number(version.risk_score),
})

/** A version by itself: where it stands, why, and what comes next. */
export const detailOf = (version: VersionRow) => ({
  ...summaryOf(version),
  media_type: version.media_type,
  safety_mode: version.safety_mode,
  reason: version.reason,
  next_step: nextStep[version.status],
  key_id: version.key_id,
  signature_form: version.signature_form,
  submitted_at: version.submitted_at.toISOString(),
  expected_decision_at: version.due_at.toISOString(),
})
