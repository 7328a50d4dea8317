import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { messageOf } from '../../../platform/errors.ts'
import { marketplaceError } from '../errors.ts'

/** A key as it is stored. `keyId` is the hint cosign writes: base64 of SHA-256 of the DER SPKI. */
export type PublicKey = { keyId: string; pem: string; algorithm: 'ecdsa-p256' | 'ecdsa-p384' | 'ed25519' | 'rsa' }

/** Reads a PEM public key: ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 8192 bits. Throws `key_malformed`. */
export function readPublicKey(pem: string): PublicKey {
  const key = importKey(pem)
  const algorithm = algorithmOf(key)
  if (algorithm === null)
    throw marketplaceError('key_malformed', 'use ECDSA P-256 or P-384, Ed25519, or an RSA key of 2048 to 8192 bits')
  const spki = key.export({ format: 'der', type: 'spki' })
  return {
    keyId: createHash('sha256').update(spki).digest('base64'),
    pem: key.export({ format: 'pem', type: 'spki' }).toString(),
    algorithm,
  }
}

function importKey(pem: string): KeyObject {
  // A private key would import too, its public half silently taken: refuse it, the sender should know it leaked.
  if (!/^\s*-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem))
    throw marketplaceError('key_malformed', 'send a PEM public key (-----BEGIN PUBLIC KEY-----)')
  try {
    return createPublicKey(pem)
  } catch (cause) {
    throw marketplaceError('key_malformed', `the PEM cannot be read: ${messageOf(cause)}`, { cause })
  }
}

/** What kind of key this is; null for one that signs nothing here. */
export function algorithmOf(key: KeyObject): PublicKey['algorithm'] | null {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519'
  if (key.asymmetricKeyType === 'ec' && details?.namedCurve === 'prime256v1') return 'ecdsa-p256'
  if (key.asymmetricKeyType === 'ec' && details?.namedCurve === 'secp384r1') return 'ecdsa-p384'
  const bits = details?.modulusLength ?? 0
  return key.asymmetricKeyType === 'rsa' && bits >= 2048 && bits <= 8192 ? 'rsa' : null
}
