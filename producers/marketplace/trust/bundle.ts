import { createHash, createPublicKey } from 'node:crypto'
import { bundleFromJSON } from '@sigstore/bundle'
import { toSignedEntity, Verifier } from '@sigstore/verify'
import { pointerStep } from '../../../platform/document-problem.ts'
import { messageOf } from '../../../platform/errors.ts'
import { marketplaceError } from '../errors.ts'
import type { PublicKey } from './public-key.ts'
import { strictBase64 } from './strict-base64.ts'

/** Exact strings: the library takes any media type that merely looks like one. */
const MEDIA_TYPES = ['application/vnd.dev.sigstore.bundle.v0.3+json']
/** A thousand repeated timestamps held the library for seconds; one of each is all a real bundle has. */
const MAX_ENTRIES = 1
export const MAX_BUNDLE_BYTES = 64_000

export type KeyBundle = { hint: string; json: object }

/** The parts of a Sigstore v0.3 key bundle that the library leaves unchecked. Throws `bundle_malformed`. */
export function readKeyBundle(value: unknown, bytes: Uint8Array): KeyBundle {
  const bundle = members(value, '', ['mediaType', 'verificationMaterial', 'messageSignature', 'dsseEnvelope'])
  if (!MEDIA_TYPES.includes(bundle.mediaType as string))
    throw malformed('/mediaType', `must be ${MEDIA_TYPES.join(' or ')}`)
  if ('dsseEnvelope' in bundle)
    throw malformed('/dsseEnvelope', 'a package is signed with a message signature (cosign sign-blob)')
  const material = members(bundle.verificationMaterial, '/verificationMaterial', [
    'publicKey',
    'tlogEntries',
    'timestampVerificationData',
  ])
  const { hint } = members(material.publicKey, '/verificationMaterial/publicKey', ['hint'])
  if (typeof hint !== 'string' || !strictBase64(hint))
    throw malformed('/verificationMaterial/publicKey/hint', 'must be base64 of the SHA-256 of the public key')
  fewEntries(material.tlogEntries, '/verificationMaterial/tlogEntries')
  if (material.timestampVerificationData !== undefined) {
    const at = '/verificationMaterial/timestampVerificationData'
    fewEntries(members(material.timestampVerificationData, at, ['rfc3161Timestamps']).rfc3161Timestamps, at)
  }
  checkMessageSignature(bundle.messageSignature, bytes)
  return { hint, json: bundle }
}

/** Whether the bundle's signature is by `key` over exactly `bytes`; without log or timestamp, so offline. */
export function verifyKeyBundle(bundle: KeyBundle, bytes: Buffer, key: PublicKey): boolean {
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: createPublicKey(key.pem), validFor: () => true }),
  }
  let parsed: ReturnType<typeof bundleFromJSON>
  try {
    parsed = bundleFromJSON(bundle.json)
  } catch (cause) {
    throw malformed('', messageOf(cause))
  }
  try {
    new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(
      toSignedEntity(parsed, bytes),
    )
    return true
  } catch {
    // Every throw of the library means the same: this bundle does not prove what it says.
    return false
  }
}

function checkMessageSignature(value: unknown, bytes: Uint8Array): void {
  const at = '/messageSignature'
  const { messageDigest, signature } = members(value, at, ['messageDigest', 'signature'])
  if (typeof signature !== 'string' || !strictBase64(signature))
    throw malformed(`${at}/signature`, 'must be base64 without anything else in it')
  const { algorithm, digest } = members(messageDigest, `${at}/messageDigest`, ['algorithm', 'digest'])
  if (algorithm !== 'SHA2_256') throw malformed(`${at}/messageDigest/algorithm`, 'must be SHA2_256')
  if (typeof digest !== 'string' || !strictBase64(digest))
    throw malformed(`${at}/messageDigest/digest`, 'must be base64 without anything else in it')
  // The library never compares the stated digest with the bytes when there is no log entry.
  if (digest !== createHash('sha256').update(bytes).digest('base64'))
    throw marketplaceError('signature_invalid', 'the bundle was made for other bytes', {
      errors: [
        { pointer: `${at}/messageDigest/digest`, code: 'digest_mismatch', detail: 'is not the SHA-256 of the content' },
      ],
    })
}

function members(value: unknown, pointer: string, allowed: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(pointer, 'must be an object')
  for (const name of Object.keys(value))
    if (!allowed.includes(name)) throw malformed(pointer + pointerStep(name), 'is not part of a key bundle')
  return value as Record<string, unknown>
}

function fewEntries(value: unknown, pointer: string): void {
  const entries = value === undefined ? [] : value
  const isObject = (entry: unknown) => typeof entry === 'object' && entry !== null
  if (Array.isArray(entries) && entries.length <= MAX_ENTRIES && entries.every(isObject)) return
  throw malformed(pointer, `must be a list of at most ${MAX_ENTRIES} object`)
}

function malformed(pointer: string, detail: string) {
  return marketplaceError('bundle_malformed', `${pointer || 'the bundle'} ${detail}`, {
    errors: [{ pointer, code: 'bundle_malformed', detail }],
  })
}
