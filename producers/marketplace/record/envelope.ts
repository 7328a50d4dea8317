import type { SigningKey } from '../../../platform/keys/signing-key.ts'
import { preAuthEncoding } from '../trust/pre-auth-encoding.ts'

export type Envelope = { payload: string; payloadType: string; signatures: [{ sig: string; keyid: string }] }

/** `payload` in a DSSE envelope, signed by the marketplace. */
export async function signedEnvelope(key: SigningKey, payloadType: string, payload: string): Promise<Envelope> {
  const bytes = Buffer.from(payload)
  const { keyId, signature } = await key.sign(preAuthEncoding(payloadType, bytes))
  return {
    payload: bytes.toString('base64'),
    payloadType,
    signatures: [{ sig: signature.toString('base64'), keyid: keyId }],
  }
}

/**
 * The envelope as a Sigstore bundle, which `cosign verify-blob-attestation` reads. The key is named beside the envelope
 * only: cosign passes over a signature inside it that names its key in this way.
 */
export const bundleOf = ({ signatures: [{ sig, keyid }], ...envelope }: Envelope) => ({
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  verificationMaterial: { publicKey: { hint: keyid }, tlogEntries: [] },
  dsseEnvelope: { ...envelope, signatures: [{ sig, keyid: '' }] },
})
