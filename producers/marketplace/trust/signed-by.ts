import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { algorithmOf, type PublicKey } from './public-key.ts'

export type Hash = 'sha256' | 'sha384' | 'sha512'

/** Hashes a bare signature may be over, in the order tried: cosign takes SHA-256 for P-384, openssl users SHA-384. */
const USUAL: Record<PublicKey['algorithm'], readonly Hash[]> = {
  'ecdsa-p256': ['sha256'],
  'ecdsa-p384': ['sha384', 'sha256'],
  ed25519: ['sha512'],
  rsa: ['sha256'],
}
const KEPT = 1_000
const opened = new Map<string, KeyObject>()

/**
 * Whether `key` made `signature` over exactly `bytes`: DER for ECDSA, PKCS #1 v1.5 for RSA, plain Ed25519. `hash` is
 * the one the signer named, if it did; Ed25519 has its own inside.
 */
export function signedBy(key: PublicKey, bytes: Uint8Array, signature: Uint8Array, hash?: Hash): boolean {
  return hashesOf(key.algorithm, hash).some((one) => verify(one, bytes, open(key.pem), signature))
}

/** The same for a key that came out of a certificate. */
export function signedByKey(key: KeyObject, bytes: Uint8Array, signature: Uint8Array, hash?: Hash): boolean {
  const algorithm = algorithmOf(key)
  return algorithm !== null && hashesOf(algorithm, hash).some((one) => verify(one, bytes, key, signature))
}

const hashesOf = (algorithm: PublicKey['algorithm'], hash: Hash | undefined): readonly (Hash | null)[] =>
  algorithm === 'ed25519' ? [null] : hash === undefined ? USUAL[algorithm] : [hash]

/** Reading a PEM costs as much as a verification; a partner uses the same key again and again. */
function open(pem: string): KeyObject {
  const known = opened.get(pem)
  if (known) return known
  const key = createPublicKey(pem)
  if (opened.size >= KEPT) opened.clear()
  opened.set(pem, key)
  return key
}
