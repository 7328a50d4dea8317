import { setImmediate } from 'node:timers/promises'
import { marketplaceError } from '../errors.ts'
import { type ReadBundle, readBundle } from './bundle.ts'
import { proveBundle } from './prove-bundle.ts'
import type { PublicKey } from './public-key.ts'
import { signedBy } from './signed-by.ts'
import { strictBase64 } from './strict-base64.ts'
import type { TrustRoot } from './trust-root.ts'

/** What travels beside the document. */
export type Signed = { bundle?: unknown; signature?: string; keyId?: string }
/** From when a signer counts, and from when nothing it signs counts any more. */
export type Window = { validFrom: Date; revokedAt: Date | null }
export type RegisteredKey = PublicKey & Window
export type RegisteredIdentity = { id: string; issuer: string; subject: string } & Window
/** Signers of the organisation, and the way to ask whether somebody else's key made a signature. */
export type Signers = {
  keys: readonly RegisteredKey[]
  identities: readonly RegisteredIdentity[]
  foreign: () => Promise<readonly PublicKey[]>
}
/** `receivedAt` stands for the time of signing where no clock that is trusted says it. */
export type Trust = { signers: Signers; root: () => TrustRoot; receivedAt: Date }
/** `signer` is the id of the key or of the identity; `signedAt` is proven by a log or timestamp, or null. */
export type VerifiedSignature = {
  signer: string
  form: 'detached' | 'bundle'
  stored: object
  signedAt: Date | null
}

const TRIED_AT_ONCE = 20
/** Each key tried hashes all that was signed: about a millisecond for 1 MB. */
const HASHED_AT_ONCE = 2_000_000

export const counts = ({ validFrom, revokedAt }: Window, at: Date): boolean =>
  at >= validFrom && (revokedAt === null || at < revokedAt)

/**
 * Verifies who signed exactly these bytes. Throws `signature_missing`, `bundle_malformed`, `signer_not_registered`
 * (not a signer of this organisation at that time) or `signature_invalid` (one of its signers, but not over these bytes).
 */
export async function verifySignature(bytes: Buffer, signed: Signed, trust: Trust): Promise<VerifiedSignature> {
  const { bundle, signature } = signed
  if (bundle !== undefined && signature !== undefined)
    throw marketplaceError('bundle_malformed', 'send either `bundle` or `signature`, not both')
  if (bundle !== undefined) {
    const read = readBundle(bundle, bytes)
    return read.hint === null ? byIdentity(read, trust) : byBundleKey(read, read.hint, trust)
  }
  if (signature === undefined || signature === '')
    throw marketplaceError('signature_missing', 'send `bundle` or `signature` beside the content')
  return byBareKey(bytes, signature, signed.keyId, trust)
}

function byIdentity(read: ReadBundle, { signers, root }: Trust): VerifiedSignature {
  const { identity, signedAt } = proveBundle(read, root(), null)
  if (!identity || !signedAt) throw invalid('the bundle proves neither an identity nor a time')
  const { issuer, subject } = identity
  // By equality: a pattern that is not anchored takes any name that contains the registered one.
  const known = signers.identities.filter((one) => one.issuer === issuer && one.subject === subject)
  const registered = known.find((one) => counts(one, signedAt))
  if (registered) return { signer: registered.id, form: 'bundle', stored: read.stored, signedAt }
  throw known[0]
    ? outside(`the identity ${subject}`, known[0], signedAt)
    : notRegistered(`the organisation has not registered the identity ${subject} of ${issuer}`)
}

async function byBundleKey(read: ReadBundle, hint: string | undefined, trust: Trust): Promise<VerifiedSignature> {
  const made = (key: PublicKey) => signedBy(key, read.signed, read.signature, read.hash)
  const key = hint === undefined ? await whoMade(made, read.signed.length, trust) : named(trust.signers.keys, hint)
  // With a time that is trusted, what was signed before a revocation counts for ever; else the upload is the time.
  const { signedAt } = read.hasEvidence ? proveBundle(read, trust.root(), key) : { signedAt: null }
  requireCounts(key, signedAt ?? trust.receivedAt)
  if (!made(key)) throw invalid(`the signature is not by key ${key.keyId} over these bytes`)
  return { signer: key.keyId, form: 'bundle', stored: read.stored, signedAt }
}

async function byBareKey(
  bytes: Buffer,
  text: string,
  keyId: string | undefined,
  trust: Trust,
): Promise<VerifiedSignature> {
  // cosign ends its signature file with a line break.
  const signature = strictBase64(text.trim())
  if (!signature)
    throw marketplaceError('signature_invalid', 'the signature is not base64', {
      errors: [{ pointer: '/signature', code: 'not_base64', detail: 'must be base64 of the signature bytes' }],
    })
  const made = (key: PublicKey) => signedBy(key, bytes, signature)
  const key = keyId === undefined ? await whoMade(made, bytes.length, trust) : named(trust.signers.keys, keyId)
  requireCounts(key, trust.receivedAt)
  if (!made(key)) throw invalid(`the signature is not by key ${key.keyId} over these bytes`)
  return {
    signer: key.keyId,
    form: 'detached',
    stored: { signature: text.trim(), key_id: key.keyId },
    signedAt: null,
  }
}

/** The own key that made a signature which names none. */
async function whoMade(made: (key: PublicKey) => boolean, size: number, { signers }: Trust): Promise<RegisteredKey> {
  const key = await firstThat(made, signers.keys, size)
  if (key) return key
  if (signers.keys.length === 0) throw notRegistered('the organisation has no valid signing key; register one first')
  if (await firstThat(made, await signers.foreign(), size))
    throw notRegistered('the signature was made with a key of another organisation')
  throw invalid('no signing key of the organisation made this signature over these bytes')
}

/** Hundreds of keys take tens of milliseconds: between a few of them others get their turn. */
async function firstThat<K extends PublicKey>(
  made: (key: K) => boolean,
  keys: readonly K[],
  size: number,
): Promise<K | undefined> {
  const atOnce = Math.max(1, Math.min(TRIED_AT_ONCE, Math.floor(HASHED_AT_ONCE / size)))
  for (let from = 0; from < keys.length; from += atOnce) {
    if (from > 0) await setImmediate()
    const found = keys.slice(from, from + atOnce).find(made)
    if (found) return found
  }
  return undefined
}

function named(keys: readonly RegisteredKey[], keyId: string): RegisteredKey {
  const key = keys.find((candidate) => candidate.keyId === keyId)
  if (key) return key
  throw notRegistered(`the organisation has no valid signing key ${keyId.slice(0, 64)}`)
}

function requireCounts(key: RegisteredKey, at: Date): void {
  if (!counts(key, at)) throw outside(`key ${key.keyId}`, key, at)
}

function outside(who: string, { validFrom, revokedAt }: Window, at: Date) {
  const why = at < validFrom ? `it counts from ${validFrom.toISOString()}` : `revoked from ${revokedAt?.toISOString()}`
  return notRegistered(`${who} is not valid for a signature of ${at.toISOString()}: ${why}`)
}

const notRegistered = (detail: string) => marketplaceError('signer_not_registered', detail)
const invalid = (detail: string) => marketplaceError('signature_invalid', detail)
