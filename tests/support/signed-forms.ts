import { createHash, sign } from 'node:crypto'
import { preAuthEncoding } from '../../producers/marketplace/trust/pre-auth-encoding.ts'
import type { SigningKey } from './organisations.ts'

/** What a test changes in a bundle: anything, to see it refused. */
// biome-ignore lint/suspicious/noExplicitAny: hostile bundles have any shape
export type LooseJson = any

const IN_TOTO = 'application/vnd.in-toto+json'
const V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json'
type Hash = 'sha256' | 'sha384' | 'sha512'

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
export const hashOf = (hash: Hash, bytes: Uint8Array): Buffer => createHash(hash).update(bytes).digest()

/** Signs as the kind of key demands: Ed25519 takes no hash. */
export const signWith = (key: SigningKey, bytes: Uint8Array, hash: Hash = 'sha256'): Buffer =>
  sign(key.privateKey.asymmetricKeyType === 'ed25519' ? null : hash, bytes, key.privateKey)

export const messageSignature = (bytes: Uint8Array, key: SigningKey, hash: Hash = 'sha256') => ({
  messageDigest: { algorithm: `SHA2_${hash.slice(3)}`, digest: base64(hashOf(hash, bytes)) },
  signature: base64(signWith(key, bytes, hash)),
})

/** A key bundle over `bytes`. */
export const messageBundle = (
  bytes: Uint8Array,
  key: SigningKey,
  hash: Hash = 'sha256',
  mediaType = V03,
): LooseJson => ({
  mediaType,
  verificationMaterial: { publicKey: { hint: key.keyId }, tlogEntries: [] },
  messageSignature: messageSignature(bytes, key, hash),
})

/** An in-toto statement about `bytes`, or as changed. */
export const statementOf = (bytes: Uint8Array, change: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'package', digest: { sha256: hashOf('sha256', bytes).toString('hex') } }],
      predicateType: 'https://example.com/release/v1',
      predicate: { by: 'test' },
      ...change,
    }),
  )

export function envelopeOf(
  payload: Uint8Array,
  key: SigningKey,
  change: object = {},
  hash: Hash = 'sha256',
): LooseJson {
  const sig = base64(signWith(key, preAuthEncoding(IN_TOTO, payload), hash))
  return { payload: base64(payload), payloadType: IN_TOTO, signatures: [{ sig, keyid: key.keyId, ...change }] }
}

/** A key bundle with a DSSE envelope around a statement about `bytes`. */
export const envelopeBundle = (bytes: Uint8Array, key: SigningKey, payload = statementOf(bytes)): LooseJson => ({
  mediaType: V03,
  verificationMaterial: { publicKey: { hint: key.keyId } },
  dsseEnvelope: envelopeOf(payload, key),
})
