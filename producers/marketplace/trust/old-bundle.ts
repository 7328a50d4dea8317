import { createHash } from 'node:crypto'
import { messageOf } from '../../../platform/errors.ts'
import { base64, digits, malformed, object, text } from './shape.ts'
import { strictBase64 } from './strict-base64.ts'

/** What cosign wrote with `--bundle` before version 3. */
type OldBundle = {
  base64Signature: string
  cert?: string | null
  rekorBundle?: {
    SignedEntryTimestamp: string
    Payload: { body: string; integratedTime: number; logIndex: number; logID: string }
  } | null
}

const shape = object(
  { base64Signature: base64(2_048) },
  {
    cert: base64(8_192),
    rekorBundle: object({
      SignedEntryTimestamp: base64(1_024),
      Payload: object({
        body: base64(),
        integratedTime: digits,
        logIndex: digits,
        logID: text(/^([0-9a-f]{2}){1,64}$/, 'hex'),
      }),
    }),
  },
)
/** The new form has to name a key; which one signed is found by trying, as for a bare signature. */
const NO_HINT = Buffer.alloc(32).toString('base64')

export const isOldBundle = (value: unknown): value is OldBundle =>
  typeof value === 'object' && value !== null && 'base64Signature' in value

/**
 * cosign's old bundle over `bytes` as a Sigstore bundle v0.1. Its `cert` may be a public key, which is not looked at:
 * keys are those that are registered, never the one that came with the signature. Throws `bundle_malformed`.
 */
export function withOldBundleAsNew(value: OldBundle, bytes: Uint8Array): object {
  shape(value, '')
  const { base64Signature, rekorBundle } = value
  const certificate = certificateIn(value.cert)
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: {
      ...(certificate
        ? { x509CertificateChain: { certificates: [{ rawBytes: certificate }] } }
        : { publicKey: { hint: NO_HINT } }),
      tlogEntries: rekorBundle ? [entryOf(rekorBundle)] : [],
    },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(bytes).digest('base64') },
      signature: base64Signature,
    },
  }
}

function certificateIn(text: string | null | undefined): string | null {
  const pem = (text && strictBase64(text)?.toString('latin1')) || ''
  const match = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(pem)
  return match?.[1] === undefined ? null : match[1].replace(/\s+/g, '')
}

function entryOf({ SignedEntryTimestamp, Payload }: NonNullable<OldBundle['rekorBundle']>): object {
  return {
    logIndex: String(Payload.logIndex),
    logId: { keyId: Buffer.from(Payload.logID, 'hex').toString('base64') },
    kindVersion: kindOf(Payload.body),
    integratedTime: String(Payload.integratedTime),
    inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
    canonicalizedBody: Payload.body,
  }
}

function kindOf(body: string): { kind: unknown; version: unknown } {
  try {
    const { kind, apiVersion } = JSON.parse(Buffer.from(body, 'base64').toString('utf8'))
    return { kind, version: apiVersion }
  } catch (cause) {
    throw malformed('/rekorBundle/Payload/body', `must be a log entry: ${messageOf(cause)}`)
  }
}
