import type { Db } from '../../platform/db.ts'
import type { Finding } from '../../platform/policies.ts'
import type { SigningOutage } from './record/signing-outage.ts'
import type { PublicKey } from './trust/public-key.ts'
import type { TrustRoot } from './trust/trust-root.ts'
import { verifySignature } from './trust/verify-signature.ts'

const NEWEST = 5
type SignedRow = {
  name: string
  bytes: Buffer
  signature_form: 'detached' | 'bundle'
  signature: { signature: string }
  key_id: string
  submitted_at: Date
  public_key: string | null
  algorithm: PublicKey['algorithm']
  issuer: string
  subject: string
}

/** P-2: the newest versions' signatures are verified again, over the stored bytes with the stored signers. */
export function probeSignatures(db: Db, root: () => TrustRoot) {
  return async (): Promise<Finding> => {
    const [unsigned] = await db.query<{ n: number }>(
      `select count(*)::int as n from marketplace.versions v where not exists (
           select 1 from marketplace.signing_keys k where k.org = v.org and k.key_id = v.key_id)
         and not exists (
           select 1 from marketplace.identities i where i.org = v.org and i.id::text = v.key_id)`,
    )
    if ((unsigned?.n ?? 0) > 0)
      return { status: 'violated', detail: `${unsigned?.n} versions have no registered signer` }
    const newest = await db.query<SignedRow>(
      `select v.name, a.bytes, v.signature_form, v.signature, v.key_id, v.submitted_at, k.public_key, k.algorithm,
         i.issuer, i.subject
       from marketplace.versions v join platform.artifacts a on a.org = v.org and a.digest = v.digest
       left join marketplace.signing_keys k on k.org = v.org and k.key_id = v.key_id
       left join marketplace.identities i on i.org = v.org and i.id::text = v.key_id
       order by v.id desc limit ?`,
      [NEWEST],
    )
    for (const row of newest) {
      const signed =
        row.signature_form === 'bundle'
          ? { bundle: row.signature as unknown }
          : { signature: row.signature.signature, keyId: row.key_id }
      // Whether the signer still counts is another question: a revocation says nothing of what was verified before.
      const always = { validFrom: new Date(0), revokedAt: null }
      const { key_id, public_key, algorithm, issuer, subject } = row
      const keys = public_key === null ? [] : [{ keyId: key_id, pem: public_key, algorithm, ...always }]
      const identities = public_key === null ? [{ id: key_id, issuer, subject, ...always }] : []
      const signers = { keys, identities, foreign: async () => [] }
      await verifySignature(row.bytes, signed, { signers, root, receivedAt: row.submitted_at })
    }
    if (newest.length === 0) return { status: 'not_applicable', detail: 'no package was submitted yet' }
    const detail = `the ${newest.length} newest signatures verify against the stored bytes`
    return { status: 'compliant', detail: `${detail}${await waitingForKey(db)}` }
  }
}

/** That the marketplace's own signatures wait is no breach: nothing is published without them meanwhile. */
async function waitingForKey(db: Db): Promise<string> {
  const [out] = await db.query<SigningOutage>('select since, code from marketplace.signing_outage')
  return out
    ? `; the marketplace signs nothing since ${out.since.toISOString()} (${out.code}), and publishes nothing`
    : ''
}

/** P-3: every published version has a decision, and one that may run by itself has a person's. */
export function probeApprovals(db: Db) {
  return async (): Promise<Finding> => {
    const [found] = await db.query<{ published: number; undecided: number; unattended: number }>(
      `select count(*)::int as published,
         count(*) filter (where not exists (select 1 from marketplace.decisions d
           where d.org = v.org and d.version_id = v.id and d.decision = 'approve'))::int as undecided,
         count(*) filter (where v.safety_mode <> 'manual' and not exists (select 1 from marketplace.decisions d
           where d.org = v.org and d.version_id = v.id and d.decision = 'approve' and d.approver_kind = 'person'))::int
           as unattended
       from marketplace.versions v where v.published_at is not null`,
    )
    const { published = 0, undecided = 0, unattended = 0 } = found ?? {}
    if (undecided + unattended > 0)
      return {
        status: 'violated',
        detail: `${undecided} published without a decision, ${unattended} unattended without a person`,
      }
    if (published === 0) return { status: 'not_applicable', detail: 'nothing is published yet' }
    return { status: 'compliant', detail: `${published} published versions, each with its recorded decision` }
  }
}
