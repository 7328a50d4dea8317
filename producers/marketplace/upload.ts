import { uuidv7 } from 'uuidv7'
import { digestOf, storeArtifact } from '../../platform/artifacts.ts'
import { scopeOf } from '../../platform/auth/principal.ts'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { row, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import { errorOf } from '../../platform/threads/serve-jobs.ts'
import { wpkSubmitted } from '../../schemas/events/wpk.submitted.ts'
import type { Origin } from '../../schemas/origin.ts'
import { claimName } from './catalog/claim-name.ts'
import type { OlderAlike } from './catalog/older-alike.ts'
import { tellVisibility } from './catalog/tell-visibility.ts'
import { type MarketplaceDeps, SOURCE } from './deps.ts'
import { marketplaceError } from './errors.ts'
import type { ReadWpk } from './reading/read-upload.ts'
import { reading } from './reading/reading.ts'
import { MAX_UPLOAD_BYTES, type Upload } from './reading/upload-body.ts'
import type { PlaceOf } from './review/queue.ts'
import { predecessorOf, supersede } from './review/supersede.ts'
import { signersOf } from './signers.ts'
import { oneATurn } from './trust/one-a-turn.ts'
import type { PublicKey } from './trust/public-key.ts'
import { type VerifiedSignature, verifySignature } from './trust/verify-signature.ts'
import { columns, standingOf, threadOf, type VersionRow } from './version-row.ts'

/** What only the marketplace's own role may see. */
type Asked = { foreignKeys: () => Promise<readonly PublicKey[]>; placeOf: PlaceOf; olderAlike: OlderAlike }

/**
 * POST /wpk/upload: size, signature over the exact bytes, shape, then name and version, in this order. The version,
 * its bytes and its event commit together; a refused upload leaves nothing behind.
 */
export function uploadRoute(deps: MarketplaceDeps, { foreignKeys, placeOf, olderAlike }: Asked): Route {
  async function handle(call: Call): Promise<Answer> {
    const { org } = call.principal
    const scope = scopeOf(call.principal)
    const { contentType } = call
    const {
      signed,
      visibility,
      wpk: read,
      ...sent
    } = await reading.run('upload', org, { bytes: call.bytes, contentType })
    const bytes = Buffer.from(sent.bytes.buffer, sent.bytes.byteOffset, sent.bytes.byteLength)
    const now = deps.now()
    const own = await deps.db.transaction((tx) => signersOf(tx, org), { scope })
    const signers = { ...own, foreign: foreignKeys }
    const trust = { signers, root: deps.trustRoot, receivedAt: now }
    const signature = await oneATurn(() => verifySignature(bytes, signed, trust))
    if ('refused' in read) throw errorOf(read.refused)
    fault('upload.after-verification')
    const alike = await olderAlike(org, read.name)
    const origin: Origin = { signature: 'verified', signer: 'registered', ...alike }
    const locks = [keyLock(wpkSubmitted.topic, read.name)]
    const { version, created } = await deps.db.transaction(
      (tx) => store(tx, { org, bytes, wpk: read, signature, now, call, visibility, origin }),
      { scope, locks },
    )
    fault('upload.after-commit')
    if (created) deps.wake()
    return { status: created ? 202 : 200, body: answerOf(version, deps.publicUrl(), await placeOf(version)) }
  }

  type NewVersion = {
    org: string
    bytes: Buffer
    wpk: ReadWpk
    signature: VerifiedSignature
    now: Date
    call: Call
    visibility: Upload['visibility']
    origin: Origin
  }

  async function store(tx: Tx, upload: NewVersion): Promise<{ version: VersionRow; created: boolean }> {
    const { org, bytes, signature, now, call, origin } = upload
    const { name, version, description, tags, mode, format } = upload.wpk
    const mediaType = `application/${format}`
    const { visibility, claimed } = await claimName(tx, { org, name, visibility: upload.visibility, now })
    fault('upload.after-name')
    const existing = await row<VersionRow>(
      tx,
      `select ${columns} from marketplace.versions where org = ? and name = ? and version = ?`,
      [org, name, version],
    )
    if (existing?.digest === digestOf(bytes)) return { version: existing, created: false }
    if (existing)
      throw marketplaceError('version_exists', `${name}@${version} exists with other bytes; raise the version`)
    if (upload.visibility !== undefined && upload.visibility !== visibility)
      throw marketplaceError('visibility_differs', `${name} is ${visibility}; change that with a call of its own`)
    const before = await predecessorOf(tx, org, name)
    const digest = await storeArtifact(tx, org, bytes, now)
    fault('upload.after-artifact')
    const due = new Date(now.getTime() + deps.reviewTargetHours * 3_600_000)
    const stored = await row<VersionRow>(
      tx,
      `insert into marketplace.versions (org, id, name, version, digest, media_type, description, tags, safety_mode,
         status, reason, key_id, signature_form, signature, signed_at, submitted_at, due_at, visibility,
         thread_id, resubmission_of)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'submitted', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning ${columns}`,
      [
        org,
        uuidv7(),
        name,
        version,
        digest,
        mediaType,
        description,
        tags,
        mode,
        'Waiting for the analyzer.',
        signature.signer,
        signature.form,
        JSON.stringify(signature.stored),
        signature.signedAt,
        now,
        due,
        visibility,
        before.thread_id,
        before.resubmission_of,
      ],
    )
    const created = stored as VersionRow
    fault('upload.after-version')
    const { id } = created
    const event = wpkSubmitted.create(
      { id, org, name, version, digest, media_type: mediaType, key_id: signature.signer, origin },
      { source: SOURCE, now, subject: name, traceparent: call.traceparent },
    )
    await publish(tx, wpkSubmitted, [event])
    fault('upload.after-event')
    // After its first version, so that whoever follows the events has something to hide.
    if (claimed && visibility === 'private') {
      await tellVisibility(tx, { org, name, visibility }, { call, now })
      fault('upload.after-visibility')
    }
    await supersede(tx, before.open, { version, principal: call.principal, now, traceparent: call.traceparent })
    fault('upload.before-commit')
    return { version: created, created: true }
  }

  return {
    method: 'POST',
    path: '/wpk/upload',
    summary: 'Publish a signed package version',
    access: { roles: ['partner'], scopes: ['publish'] },
    maxBytes: MAX_UPLOAD_BYTES,
    handle,
  }
}

const answerOf = (version: VersionRow, publicUrl: string, place: number | null) => ({
  id: version.id,
  name: version.name,
  version: version.version,
  digest: version.digest,
  ...standingOf(version, place),
  status_url: `${publicUrl}/wpk/${version.id}`,
  thread_id: threadOf(version),
  resubmission_of: version.resubmission_of,
})
