import { sign } from 'node:crypto'
import { preAuthEncoding } from '../../../producers/marketplace/trust/pre-auth-encoding.ts'
import { base64, hashOf, type LooseJson, statementOf } from '../signed-forms.ts'
import type { Instance, Leaf } from './instance.ts'

const V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const IN_TOTO = 'application/vnd.in-toto+json'

export type Keyless = {
  content?: 'message' | 'envelope'
  /** 1 says the time itself; 2 needs a timestamp beside it. */
  rekor?: 1 | 2
  leaf?: Partial<Leaf>
  /** When the log or the timestamp says it was signed. */
  at?: Date
}

/** A bundle as `cosign sign-blob` or `cosign attest-blob` makes it without a key, at an instance of Sigstore. */
export function keylessBundle(instance: Instance, bytes: Buffer, certifiedAt: Date, made: Keyless = {}): LooseJson {
  const { content = 'message', rekor = 1, leaf = {}, at = certifiedAt } = made
  const certificate = instance.certify({ at: certifiedAt, ...leaf })
  const payload = content === 'message' ? bytes : statementOf(bytes)
  const signed = content === 'message' ? bytes : preAuthEncoding(IN_TOTO, payload)
  const signature = base64(sign('sha256', signed, certificate.key))
  const entry =
    rekor === 2
      ? instance.hashed2(signed, signature)
      : content === 'message'
        ? instance.hashed(bytes, signature, at)
        : instance.enveloped(payload, signature, at)
  return {
    mediaType: V03,
    verificationMaterial: {
      certificate: { rawBytes: base64(certificate.der) },
      tlogEntries: [entry],
      ...(rekor === 2 ? { timestampVerificationData: { rfc3161Timestamps: [instance.timestamp(signature, at)] } } : {}),
    },
    ...(content === 'message'
      ? {
          messageSignature: {
            messageDigest: { algorithm: 'SHA2_256', digest: base64(hashOf('sha256', bytes)) },
            signature,
          },
        }
      : {
          dsseEnvelope: { payload: base64(payload), payloadType: IN_TOTO, signatures: [{ sig: signature, keyid: '' }] },
        }),
  }
}

/** The same as cosign wrote it before version 3. */
export function oldKeylessBundle(bundle: LooseJson): LooseJson {
  const { certificate, tlogEntries } = bundle.verificationMaterial
  const [{ canonicalizedBody, integratedTime, logIndex, logId, inclusionPromise }] = tlogEntries
  const pem = `-----BEGIN CERTIFICATE-----\n${certificate.rawBytes.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  return {
    base64Signature: bundle.messageSignature.signature,
    cert: base64(Buffer.from(pem)),
    rekorBundle: {
      SignedEntryTimestamp: inclusionPromise.signedEntryTimestamp,
      Payload: {
        body: canonicalizedBody,
        integratedTime: Number(integratedTime),
        logIndex: Number(logIndex),
        logID: Buffer.from(logId.keyId, 'base64').toString('hex'),
      },
    },
  }
}
