import { base64, digits, list, object, oneOf, type Shape, text } from './shape.ts'

/** Exact strings: the library takes any media type that merely begins like one. */
export const MEDIA_TYPES = [
  'application/vnd.dev.sigstore.bundle.v0.3+json',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
]
/** The largest of the public conformance suite has 16 kB. */
export const MAX_BUNDLE_BYTES = 64_000
/** Thousands of them held the library for seconds, and a repeated entry counts twice there. */
const MAX_ENTRIES = 1
const MAX_TIMESTAMPS = 2
/** The library's ASN.1 reader takes quadratic time in nested bytes; a real certificate has about 1 kB. */
const MAX_CERTIFICATE_BYTES = 4_096
const MAX_TIMESTAMP_BYTES = 8_192
/** A proof in a log of 2^64 entries. */
const MAX_PROOF = 64

const certificate = object({ rawBytes: base64(MAX_CERTIFICATE_BYTES) })
const word = text(/^[\w.-]{1,64}$/, 'a word')

const checkpoint = object({ envelope: text(/^[^\0]{1,8192}$/s, 'a signed note') })

const logEntry = object(
  {
    logId: object({ keyId: base64(64) }),
    kindVersion: object({ kind: word, version: word }),
    canonicalizedBody: base64(),
  },
  {
    logIndex: digits,
    integratedTime: digits,
    inclusionPromise: object({ signedEntryTimestamp: base64(1_024) }),
    inclusionProof: object(
      { rootHash: base64(64), treeSize: digits },
      { logIndex: digits, hashes: list(base64(64), 0, MAX_PROOF), checkpoint },
    ),
  },
)

const verificationMaterial = object(
  {},
  {
    publicKey: object({ hint: base64(64) }),
    certificate,
    x509CertificateChain: object({ certificates: list(certificate, 1, 5) }),
    tlogEntries: list(logEntry, 0, MAX_ENTRIES),
    timestampVerificationData: object(
      {},
      { rfc3161Timestamps: list(object({ signedTimestamp: base64(MAX_TIMESTAMP_BYTES) }), 0, MAX_TIMESTAMPS) },
    ),
  },
)

/** A Sigstore bundle v0.1 to v0.3, member by member. */
export const bundleShape: Shape = object(
  { mediaType: oneOf(MEDIA_TYPES), verificationMaterial },
  {
    messageSignature: object({
      messageDigest: object({ algorithm: oneOf(['SHA2_256', 'SHA2_384', 'SHA2_512']), digest: base64(64) }),
      signature: base64(2_048),
    }),
    dsseEnvelope: object({
      payload: base64(),
      payloadType: oneOf(['application/vnd.in-toto+json']),
      signatures: list(object({ sig: base64(2_048) }, { keyid: text(/^.{0,200}$/, 'a text') }), 1, 1),
    }),
  },
)
