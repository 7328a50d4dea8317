import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { bundleFromJSON } from '@sigstore/bundle'
import { type SignedEntity, toSignedEntity, VerificationError, Verifier } from '@sigstore/verify'
import { messageOf } from '../../../platform/errors.ts'
import { marketplaceError } from '../errors.ts'
import type { ReadBundle } from './bundle.ts'
import { type CertificateIdentity, identityOf } from './certificate-identity.ts'
import type { PublicKey } from './public-key.ts'
import { malformed } from './shape.ts'
import { signedByKey } from './signed-by.ts'
import type { TrustRoot } from './trust-root.ts'

/** What was proven: since when the signature exists, by a clock that is trusted, and whom a certificate names. */
export type Proven = { signedAt: Date | null; identity: CertificateIdentity | null }

/** Hash of a digest's length: what a log entry is compared with. */
const HASH_OF_LENGTH: Record<number, string> = { 32: 'sha256', 48: 'sha384', 64: 'sha512' }

/**
 * Verifies the signature of a bundle together with its certificate, log entry and timestamps, offline, against `root`.
 * `key` is the registered key that signed, null when a certificate did; then a log entry, a trusted time and (where the
 * root has such logs) a certificate log are demanded. Throws `bundle_malformed` or `signature_invalid`.
 */
export function proveBundle(read: ReadBundle, root: TrustRoot, key: PublicKey | null): Proven {
  const { material } = root
  const publicKey = () => {
    if (key === null) throw new Error('a certificate signed, not a key')
    return { publicKey: createPublicKey(key.pem), validFor: () => true }
  }
  const entity = entityOf(read)
  const thresholds = key
    ? { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }
    : { tlogThreshold: 1, ctlogThreshold: root.hasCertificateLogs ? 1 : 0, timestampThreshold: 1 }
  try {
    new Verifier({ ...material, publicKey }, thresholds).verify(entity)
    const times = entity.timestamps.flatMap((timestamp) => timeOf(timestamp) ?? [])
    const signedAt = times.length === 0 ? null : new Date(Math.min(...times))
    if (entity.key.$case !== 'certificate') return { signedAt, identity: null }
    const identity = identityOf(entity.key.certificate)
    if (typeof identity === 'string') throw new Error(identity)
    return { signedAt, identity }
  } catch (error) {
    // Whatever the library throws means the same: this bundle does not prove what it says.
    const code = error instanceof VerificationError ? error.code.toLowerCase() : 'not_proven'
    throw marketplaceError('signature_invalid', `the bundle does not prove its signature: ${messageOf(error)}`, {
      errors: [{ pointer: '/bundle', code, detail: messageOf(error) }],
      cause: error,
    })
  }
}

function entityOf(read: ReadBundle): SignedEntity {
  try {
    const bundle = bundleFromJSON(read.json)
    const kind = bundle.verificationMaterial.tlogEntries[0]?.kindVersion.kind
    return { ...toSignedEntity(bundle, read.signed), signature: contentOf(read, kind) }
  } catch (cause) {
    throw malformed('', `cannot be read: ${messageOf(cause)}`)
  }
}

/** In place of the library's own, which knows no Ed25519 and refuses envelopes in the hashed entries of Rekor v2. */
const contentOf = ({ signed, payload, signature, hash }: ReadBundle, kind: string | undefined) => ({
  signature,
  compareSignature: (other: Buffer) => signature.equals(other),
  compareDigest: (digest: Buffer) => {
    const algorithm = HASH_OF_LENGTH[digest.length]
    const logged = kind === 'hashedrekord' ? signed : payload
    return algorithm !== undefined && createHash(algorithm).update(logged).digest().equals(digest)
  },
  verifySignature: (key: KeyObject) => signedByKey(key, signed, signature, hash),
})

/** Only what was verified: the time in a log entry counts where the log signed it, which it did with the promise. */
function timeOf(timestamp: SignedEntity['timestamps'][number]): number | null {
  if (timestamp.$case === 'timestamp-authority') return timestamp.timestamp.signingTime.getTime()
  const { inclusionPromise, integratedTime } = timestamp.tlogEntry
  return inclusionPromise ? Number(integratedTime) * 1_000 : null
}
