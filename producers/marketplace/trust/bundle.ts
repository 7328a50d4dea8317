import { createHash } from 'node:crypto'
import { pointerStep } from '../../../platform/document-problem.ts'
import { marketplaceError } from '../errors.ts'
import { bundleShape } from './bundle-shape.ts'
import { isOldBundle, withOldBundleAsNew } from './old-bundle.ts'
import { withPlainEntries } from './plain-entries.ts'
import { preAuthEncoding } from './pre-auth-encoding.ts'
import { malformed } from './shape.ts'
import type { Hash } from './signed-by.ts'
import { checkStatement } from './statement.ts'
import { strictBase64 } from './strict-base64.ts'

/** A bundle whose form was checked and which speaks of the given bytes; that somebody signed it is still to be shown. */
export type ReadBundle = {
  /** As sent. */
  stored: object
  /** In Sigstore's form, which cosign's old one was brought into. */
  json: object
  /** The key it names; null when a certificate signed, undefined when it names none (cosign's old form). */
  hint: string | null | undefined
  /** What the signature is over: the bytes, or the envelope with its statement about them. */
  signed: Buffer
  signature: Buffer
  /** The hash the bundle names; undefined when the key's own is meant. */
  hash: Hash | undefined
  /** Whether log entries or timestamps are there to be verified. */
  hasEvidence: boolean
  /** What a log entry is about: the bytes, or the payload of the envelope; one of kind hashedrekord is about `signed`. */
  payload: Buffer
}

type Json = {
  verificationMaterial: {
    publicKey?: { hint: string } | null
    certificate?: object | null
    x509CertificateChain?: object | null
    tlogEntries?: unknown[] | null
    timestampVerificationData?: { rfc3161Timestamps?: unknown[] | null } | null
  }
  messageSignature?: { messageDigest: { algorithm: keyof typeof HASHES; digest: string }; signature: string } | null
  dsseEnvelope?: { payload: string; payloadType: string; signatures: { sig: string; keyid?: string | null }[] } | null
}

const HASHES = { SHA2_256: 'sha256', SHA2_384: 'sha384', SHA2_512: 'sha512' } as const satisfies Record<string, Hash>

/**
 * Reads a bundle and checks what the library leaves unchecked: exact media types and members, strict base64, one
 * content, one signer, and that it speaks of `bytes`. Throws `bundle_malformed`, or `signature_invalid` for other bytes.
 */
export function readBundle(value: unknown, bytes: Uint8Array): ReadBundle {
  const isOld = isOldBundle(value)
  const json = isOld ? withOldBundleAsNew(value, bytes) : (value as object)
  oneContent(json)
  bundleShape(json, '')
  const bundle = withPlainEntries(json as Json)
  const { publicKey, certificate, x509CertificateChain, tlogEntries, timestampVerificationData } =
    bundle.verificationMaterial
  exactlyOne({ publicKey, certificate, x509CertificateChain }, '/verificationMaterial')
  const hint = publicKey?.hint ?? null
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? []
  return {
    stored: value as object,
    json: bundle,
    hint: isOld && hint !== null ? undefined : hint,
    hasEvidence: (tlogEntries ?? []).length + timestamps.length > 0,
    ...(bundle.messageSignature
      ? // The old form names no hash, so its digest is ours.
        { ...readMessage(bundle.messageSignature, bytes), ...(isOld ? { hash: undefined } : {}) }
      : readEnvelope(bundle.dsseEnvelope as NonNullable<Json['dsseEnvelope']>, bytes, hint)),
  }
}

type Content = Pick<ReadBundle, 'signed' | 'signature' | 'hash' | 'payload'>

function readMessage({ messageDigest, signature }: NonNullable<Json['messageSignature']>, bytes: Uint8Array): Content {
  const hash = HASHES[messageDigest.algorithm]
  // Without a log entry the library never compares the stated digest with the bytes.
  if (messageDigest.digest !== createHash(hash).update(bytes).digest('base64'))
    throw marketplaceError('signature_invalid', 'the bundle was made for other bytes', {
      errors: [
        {
          pointer: '/messageSignature/messageDigest/digest',
          code: 'digest_mismatch',
          detail: 'is not the hash of the content',
        },
      ],
    })
  const signed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { signed, payload: signed, signature: decoded(signature), hash }
}

function readEnvelope(
  { payload, payloadType, signatures }: NonNullable<Json['dsseEnvelope']>,
  bytes: Uint8Array,
  hint: string | null,
): Content {
  const [one] = signatures as [{ sig: string; keyid?: string | null }]
  if (one.keyid && hint !== null && one.keyid !== hint)
    throw malformed('/dsseEnvelope/signatures/0/keyid', 'must be the hint of the public key')
  const statement = decoded(payload)
  checkStatement(statement, bytes)
  return {
    signed: preAuthEncoding(payloadType, statement),
    payload: statement,
    signature: decoded(one.sig),
    hash: undefined,
  }
}

/** Before anything inside is looked at: with two, which of them was meant is anybody's guess. */
function oneContent(json: object): void {
  const { messageSignature, dsseEnvelope } = (json ?? {}) as Partial<Json>
  if (typeof json === 'object') exactlyOne({ messageSignature, dsseEnvelope }, '')
}

function exactlyOne(choices: Record<string, unknown>, pointer: string): void {
  const there = Object.keys(choices).filter((name) => choices[name] !== undefined && choices[name] !== null)
  if (there.length === 1) return
  const [, second] = there
  if (second === undefined) throw malformed(pointer, `must have one of ${Object.keys(choices).join(', ')}`)
  throw malformed(pointer + pointerStep(second), `is there beside ${there[0]}; one of them must go`)
}

const decoded = (text: string): Buffer => strictBase64(text) as Buffer
