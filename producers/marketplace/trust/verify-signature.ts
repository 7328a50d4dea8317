import { verify } from 'node:crypto'
import { marketplaceError } from '../errors.ts'
import { readKeyBundle, verifyKeyBundle } from './bundle.ts'
import type { PublicKey } from './public-key.ts'
import { strictBase64 } from './strict-base64.ts'

/** What travels beside the document. */
export type Signed = { bundle?: unknown; signature?: string; keyId?: string }
/** Keys of the organisation that are valid now, and the way to ask whether somebody else's key made a signature. */
export type SigningKeys = { own: readonly PublicKey[]; foreign: () => Promise<readonly PublicKey[]> }
export type VerifiedSignature = { keyId: string; form: 'detached' | 'bundle'; stored: object }

/**
 * Verifies who signed exactly these bytes. Throws `signature_missing`, `bundle_malformed`, `signer_not_registered`
 * (a key this organisation does not have) or `signature_invalid` (one of its keys, but not over these bytes).
 */
export async function verifySignature(bytes: Buffer, signed: Signed, keys: SigningKeys): Promise<VerifiedSignature> {
  const { bundle, signature } = signed
  if (bundle !== undefined && signature !== undefined)
    throw marketplaceError('bundle_malformed', 'send either `bundle` or `signature`, not both')
  if (bundle !== undefined) {
    const read = readKeyBundle(bundle, bytes)
    const key = named(keys.own, read.hint)
    if (!verifyKeyBundle(read, bytes, key)) throw invalid(key.keyId)
    return { keyId: key.keyId, form: 'bundle', stored: read.json }
  }
  if (signature === undefined || signature === '')
    throw marketplaceError('signature_missing', 'send `bundle` or `signature` beside the content')
  return verifyDetached(bytes, signature, signed.keyId, keys)
}

async function verifyDetached(
  bytes: Buffer,
  text: string,
  keyId: string | undefined,
  keys: SigningKeys,
): Promise<VerifiedSignature> {
  // cosign ends its signature file with a line break.
  const signature = strictBase64(text.trim())
  if (!signature)
    throw marketplaceError('signature_invalid', 'the signature is not base64', {
      errors: [{ pointer: '/signature', code: 'not_base64', detail: 'must be base64 of the signature bytes' }],
    })
  const candidates = keyId === undefined ? keys.own : [named(keys.own, keyId)]
  if (candidates.length === 0)
    throw marketplaceError('signer_not_registered', 'the organisation has no valid signing key; register one first')
  for (const key of candidates)
    if (madeBy(key, bytes, signature))
      return { keyId: key.keyId, form: 'detached', stored: { signature: text.trim(), key_id: key.keyId } }
  if (keyId === undefined && (await keys.foreign()).some((key) => madeBy(key, bytes, signature)))
    throw marketplaceError('signer_not_registered', 'the signature was made with a key of another organisation')
  throw invalid(keyId)
}

/** ECDSA signatures are DER, RSA ones PKCS #1 v1.5, both over SHA-256: what cosign and openssl write. */
const madeBy = (key: PublicKey, bytes: Buffer, signature: Buffer): boolean =>
  verify('sha256', bytes, key.pem, signature)

function named(keys: readonly PublicKey[], keyId: string): PublicKey {
  const key = keys.find((candidate) => candidate.keyId === keyId)
  if (key) return key
  throw marketplaceError('signer_not_registered', `the organisation has no valid signing key ${keyId.slice(0, 64)}`)
}

const invalid = (keyId: string | undefined) =>
  marketplaceError(
    'signature_invalid',
    keyId === undefined
      ? 'no valid signing key of the organisation made this signature over these bytes'
      : `the signature is not by key ${keyId} over these bytes`,
  )
