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
  visibility: 'public' | 'private'
  /** Of the version that this one goes on from; null: it began a thread of its own. */
  thread_id: string | null
  resubmission_of: string | null
  /** Since when an approved version waits for its decision to be signed. */
  waits_since: Date | null
  publisher_suspended: boolean
}

export const columns = `id, org, name, version, digest, media_type, description, tags, safety_mode, status, reason, key_id,
  signature_form, signature, verdict, risk_score, submitted_at, signed_at, due_at, published_at, claimed_by, claimed_until, visibility,
  thread_id, resubmission_of, waits_since, ${publisherSuspended}`

/** What a list shows of a version. */
export type SummaryRow = Pick<
  VersionRow,
  | 'id'
  | 'org'
  | 'name'
  | 'version'
  | 'description'
  | 'tags'
  | 'status'
  | 'digest'
  | 'published_at'
  | 'risk_score'
  | 'visibility'
  | 'publisher_suspended'
>
export const summaryColumns = `id, org, name, version, description, tags, status, digest, published_at, risk_score,
  visibility, ${publisherSuspended}`

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
export const summaryOf = (version: SummaryRow) => ({
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
  visibility: version.visibility,
})

/** What an approved version waits for that is no person's decision, and what its publisher is told of it. */
const AWAITS = {
  reactivation: 'It is approved and published by itself once its publisher is no longer suspended.',
  signing_key:
    'Approved. The key that the marketplace signs decisions with is out of reach; it is published by itself once it is back.',
} as const

function waitsFor({ waits_since, publisher_suspended }: VersionRow): keyof typeof AWAITS | null {
  if (waits_since === null) return null
  return publisher_suspended ? 'reactivation' : 'signing_key'
}

/** Where a version stands, why, and what comes next; `place` is that in the queue, null for what waits for nobody. */
export function standingOf(version: VersionRow, place: number | null) {
  const waits_for = waitsFor(version)
  return {
    status: version.status,
    reason: version.reason,
    place,
    expected_decision_at: version.due_at.toISOString(),
    next_step: waits_for === null ? nextStep[version.status] : AWAITS[waits_for],
    waits_for,
  }
}

/** A version by itself. */
export const detailOf = (version: VersionRow, place: number | null) => ({
  ...summaryOf(version),
  ...standingOf(version, place),
  media_type: version.media_type,
  safety_mode: version.safety_mode,
  key_id: version.key_id,
  signature_form: version.signature_form,
  submitted_at: version.submitted_at.toISOString(),
  thread_id: threadOf(version),
  resubmission_of: version.resubmission_of,
})

export const threadOf = ({ thread_id, id }: Pick<VersionRow, 'thread_id' | 'id'>): string => thread_id ?? id
