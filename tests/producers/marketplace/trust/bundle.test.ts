import { expect } from 'chai'
import { publicTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import {
  type RegisteredKey,
  type Signed,
  verifySignature,
} from '../../../../producers/marketplace/trust/verify-signature.ts'
import { type KeyKind, newKey, type SigningKey } from '../../../support/organisations.ts'
import { packageBytes } from '../../../support/packages.ts'
import {
  base64,
  envelopeBundle,
  envelopeOf,
  hashOf,
  type LooseJson,
  messageBundle,
  signWith,
  statementOf,
} from '../../../support/signed-forms.ts'

const bytes = packageBytes({ name: 'forms' })
const other = packageBytes({ name: 'forms', version: '2.0.0' })
const receivedAt = new Date('2026-11-02T10:00:00Z')
const always = { validFrom: new Date(0), revokedAt: null }
const keys: Record<KeyKind, SigningKey & Omit<RegisteredKey, 'validFrom' | 'revokedAt'>> = {
  'P-256': newKey('P-256'),
  'P-384': newKey('P-384'),
  ed25519: newKey('ed25519'),
  rsa: newKey('rsa'),
}
const p256 = keys['P-256']
const signers = {
  keys: Object.values(keys).map((key) => ({ ...key, ...always })),
  identities: [],
  foreign: async () => [],
}
const root = publicTrustRoot()
const judge = (signed: Signed) => verifySignature(bytes, signed, { signers, root: () => root, receivedAt })

/** Of a core, not of the clock: what else this machine does is not what is asked. */
const millisecondsSince = (began: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1_000
}

describe('producers/marketplace/trust: forms of a signature', () => {
  const V = 'application/vnd.dev.sigstore.bundle+json;version='
  const accepted: [string, SigningKey, () => Signed][] = [
    ['a v0.1 bundle', p256, () => ({ bundle: messageBundle(bytes, p256, 'sha256', `${V}0.1`) })],
    ['a v0.2 bundle', p256, () => ({ bundle: messageBundle(bytes, p256, 'sha256', `${V}0.2`) })],
    ['a v0.3 bundle in its first spelling', p256, () => ({ bundle: messageBundle(bytes, p256, 'sha256', `${V}0.3`) })],
    ['a P-384 bundle over SHA-384', keys['P-384'], () => ({ bundle: messageBundle(bytes, keys['P-384'], 'sha384') })],
    ['a P-384 bundle over SHA-256', keys['P-384'], () => ({ bundle: messageBundle(bytes, keys['P-384']) })],
    ['an RSA bundle over SHA-512', keys.rsa, () => ({ bundle: messageBundle(bytes, keys.rsa, 'sha512') })],
    ['an Ed25519 bundle', keys.ed25519, () => ({ bundle: messageBundle(bytes, keys.ed25519, 'sha512') })],
    ...Object.values(keys).map((key): [string, SigningKey, () => Signed] => [
      `an in-toto statement in an envelope, ${key.algorithm}`,
      key,
      () => ({ bundle: envelopeBundle(bytes, key) }),
    ]),
    [
      'a statement of the older version that has more digests and subjects',
      p256,
      () => {
        const digest = (of: Buffer) => ({
          sha256: hashOf('sha256', of).toString('hex'),
          sha512: hashOf('sha512', of).toString('hex'),
        })
        const subject = [{ name: 'b', digest: digest(other) }, { digest: digest(bytes) }]
        const change = { _type: 'https://in-toto.io/Statement/v0.1', subject }
        return { bundle: envelopeBundle(bytes, p256, statementOf(bytes, change)) }
      },
    ],
    [
      'an envelope without a key id',
      p256,
      () => ({
        bundle: { ...envelopeBundle(bytes, p256), dsseEnvelope: envelopeOf(statementOf(bytes), p256, { keyid: '' }) },
      }),
    ],
    ['what cosign wrote before', p256, () => ({ bundle: { base64Signature: base64(signWith(p256, bytes)) } })],
    [
      'what cosign wrote before, whatever key came with it',
      p256,
      () => ({
        bundle: { base64Signature: base64(signWith(p256, bytes)), cert: base64(Buffer.from(newKey().pem)) },
      }),
    ],
    ['a bare Ed25519 signature', keys.ed25519, () => ({ signature: base64(signWith(keys.ed25519, bytes)) })],
    [
      'a bare P-384 signature over SHA-384',
      keys['P-384'],
      () => ({ signature: base64(signWith(keys['P-384'], bytes, 'sha384')) }),
    ],
    [
      'a bare P-384 signature over SHA-256',
      keys['P-384'],
      () => ({ signature: base64(signWith(keys['P-384'], bytes)) }),
    ],
    [
      'messages that are null, as some programs write them',
      p256,
      () => ({
        bundle: {
          ...messageBundle(bytes, p256),
          dsseEnvelope: null,
          verificationMaterial: { publicKey: { hint: p256.keyId }, certificate: null, timestampVerificationData: null },
        },
      }),
    ],
  ]
  for (const [what, key, make] of accepted)
    it(`takes ${what}`, async () => {
      const verified = await judge(make())
      expect(verified).to.include({ signer: key.keyId, signedAt: null })
    })

  const V03 = (change: (one: LooseJson) => void, made = messageBundle(bytes, p256)): Signed => {
    change(made)
    return { bundle: made }
  }
  const envelope = (change: (one: LooseJson) => void) => V03(change, envelopeBundle(bytes, p256))
  const about = (change: object) => ({ bundle: envelopeBundle(bytes, p256, statementOf(bytes, change)) })
  const timestamp = { signedTimestamp: base64(Buffer.alloc(1_000, 48)) }
  const entry = {
    logIndex: '1',
    logId: { keyId: 'wNI9atQGlz+VWfO6LRygH4QUfY/8W4RFwiT5i5WRgB0=' },
    kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
    canonicalizedBody: base64(Buffer.from('{}')),
    inclusionPromise: { signedEntryTimestamp: 'AAAA' },
  }
  const nested = (depth: number) => {
    let der = Buffer.from([5, 0])
    while (der.length < depth) der = Buffer.concat([Buffer.from([4, 0x82, der.length >> 8, der.length & 255]), der])
    return base64(der)
  }
  const proof = (envelopeText: string) => ({
    ...entry,
    // Else the promise would be looked at first.
    inclusionPromise: undefined,
    inclusionProof: {
      logIndex: '0',
      treeSize: '1',
      rootHash: 'AAAA',
      hashes: [],
      checkpoint: { envelope: envelopeText },
    },
  })
  const refused: [string, () => Signed, string, string?][] = [
    [
      'a replaced digest',
      () => V03((one) => (one.messageSignature.messageDigest.digest = base64(hashOf('sha256', other)))),
      'signature_invalid',
      'digest_mismatch',
    ],
    [
      'another hash than was signed',
      () =>
        V03((one) =>
          Object.assign(one.messageSignature.messageDigest, {
            algorithm: 'SHA2_512',
            digest: base64(hashOf('sha512', bytes)),
          }),
        ),
      'signature_invalid',
    ],
    [
      'a digest of another kind than it says',
      () => V03((one) => (one.messageSignature.messageDigest.algorithm = 'SHA2_384')),
      'signature_invalid',
      'digest_mismatch',
    ],
    [
      'two contents',
      () => V03((one) => (one.dsseEnvelope = envelopeBundle(bytes, p256).dsseEnvelope)),
      'bundle_malformed',
      '/dsseEnvelope',
    ],
    ['no content', () => V03((one) => delete one.messageSignature), 'bundle_malformed'],
    [
      'a key and a certificate',
      () => V03((one) => (one.verificationMaterial.certificate = { rawBytes: 'AAAA' })),
      'bundle_malformed',
      '/verificationMaterial/certificate',
    ],
    [
      'junk inside base64',
      () => V03((one) => (one.messageSignature.signature = one.messageSignature.signature.replace(/^../, '$&\n'))),
      'bundle_malformed',
      '/messageSignature/signature',
    ],
    [
      'junk inside the base64 of an envelope',
      () => envelope((one) => (one.dsseEnvelope.payload += '*')),
      'bundle_malformed',
      '/dsseEnvelope/payload',
    ],
    [
      'base64 in its other alphabet',
      () => V03((one) => (one.messageSignature.signature = '-_-_')),
      'bundle_malformed',
      '/messageSignature/signature',
    ],
    [
      'an unknown enum',
      () => V03((one) => (one.messageSignature.messageDigest.algorithm = 'SHA2_257')),
      'bundle_malformed',
      '/messageSignature/messageDigest/algorithm',
    ],
    [
      'an enum by number',
      () => V03((one) => (one.messageSignature.messageDigest.algorithm = 1)),
      'bundle_malformed',
      '/messageSignature/messageDigest/algorithm',
    ],
    ...['constructor', '__proto__', 'hasOwnProperty'].map((name): [string, () => Signed, string, string] => [
      `the hint ${name}`,
      () => V03((one) => (one.verificationMaterial.publicKey.hint = name)),
      'bundle_malformed',
      '/verificationMaterial/publicKey/hint',
    ]),
    [
      'the hint toString, which is base64',
      () => V03((one) => (one.verificationMaterial.publicKey.hint = 'toString')),
      'signer_not_registered',
    ],
    [
      'a prototype name as a key id',
      () => ({ signature: base64(signWith(p256, bytes)), keyId: '__proto__' }),
      'signer_not_registered',
    ],
    [
      '1,000 timestamps',
      () =>
        V03(
          (one) =>
            (one.verificationMaterial.timestampVerificationData = { rfc3161Timestamps: Array(1_000).fill(timestamp) }),
        ),
      'bundle_malformed',
      '/verificationMaterial/timestampVerificationData/rfc3161Timestamps',
    ],
    [
      'a timestamp that is none',
      () => V03((one) => (one.verificationMaterial.timestampVerificationData = { rfc3161Timestamps: [timestamp] })),
      'bundle_malformed',
    ],
    [
      'a timestamp of nested bytes',
      () =>
        V03(
          (one) =>
            (one.verificationMaterial.timestampVerificationData = {
              rfc3161Timestamps: [{ signedTimestamp: nested(8_000) }, { signedTimestamp: nested(8_000) }],
            }),
        ),
      'signature_invalid',
    ],
    [
      'a repeated log entry',
      () => V03((one) => (one.verificationMaterial.tlogEntries = [entry, entry])),
      'bundle_malformed',
      '/verificationMaterial/tlogEntries',
    ],
    [
      '1,000 log entries',
      () => V03((one) => (one.verificationMaterial.tlogEntries = Array(1_000).fill(entry))),
      'bundle_malformed',
      '/verificationMaterial/tlogEntries',
    ],
    [
      'a log entry nobody signed',
      () => V03((one) => (one.verificationMaterial.tlogEntries = [{ ...entry, inclusionPromise: undefined }])),
      'bundle_malformed',
    ],
    [
      'a v0.3 bundle with a promise only',
      () => V03((one) => (one.verificationMaterial.tlogEntries = [entry])),
      'bundle_malformed',
    ],
    [
      'a log entry with a forged promise',
      () => V03((one) => Object.assign(one, { mediaType: `${V}0.1` }).verificationMaterial.tlogEntries.push(entry)),
      'signature_invalid',
    ],
    [
      'a checkpoint whose signer is a costly pattern',
      () =>
        V03((one) =>
          one.verificationMaterial.tlogEntries.push(
            proof(`a\n1\nAAAA\n\n\u2014 (([a-z.:/])+)+! ${base64(Buffer.from('wNI9atQGlz', 'base64'))}\n`),
          ),
        ),
      'signature_invalid',
    ],
    [
      'a checkpoint by a log that is not known',
      () =>
        V03((one) =>
          one.verificationMaterial.tlogEntries.push(proof('a\n1\nAAAA\n\n\u2014 log.example wNI9atQGlzAA\n')),
        ),
      'signature_invalid',
      'tlog_inclusion_proof_error',
    ],
    [
      '65 hashes in a proof',
      () =>
        V03((one) =>
          one.verificationMaterial.tlogEntries.push({
            ...entry,
            inclusionProof: { ...proof('').inclusionProof, hashes: Array(65).fill('AAAA') },
          }),
        ),
      'bundle_malformed',
    ],
    [
      'a certificate chain in v0.3',
      () =>
        V03((one) => (one.verificationMaterial = { x509CertificateChain: { certificates: [{ rawBytes: 'MAA=' }] } })),
      'bundle_malformed',
    ],
    [
      'a certificate of nested bytes',
      () => V03((one) => (one.verificationMaterial = { certificate: { rawBytes: nested(4_000) } })),
      'signature_invalid',
    ],
    [
      'a media type with something after it',
      () => V03((one) => (one.mediaType += ' ')),
      'bundle_malformed',
      '/mediaType',
    ],
    [
      'a member of a prototype',
      () => ({ bundle: JSON.parse('{"__proto__":{"mediaType":"x"},"messageSignature":{}}') as object }),
      'bundle_malformed',
    ],
    ['a bundle that is null', () => ({ bundle: null }), 'bundle_malformed'],
    [
      'an envelope with a signature over the payload alone',
      () => envelope((one) => (one.dsseEnvelope.signatures[0].sig = base64(signWith(p256, statementOf(bytes))))),
      'signature_invalid',
    ],
    [
      'an envelope with two signatures',
      () => envelope((one) => one.dsseEnvelope.signatures.push(one.dsseEnvelope.signatures[0])),
      'bundle_malformed',
      '/dsseEnvelope/signatures',
    ],
    [
      'an envelope of another type',
      () => envelope((one) => (one.dsseEnvelope.payloadType = 'text/plain')),
      'bundle_malformed',
      '/dsseEnvelope/payloadType',
    ],
    [
      'an envelope with the id of another key',
      () => envelope((one) => (one.dsseEnvelope.signatures[0].keyid = keys.rsa.keyId)),
      'bundle_malformed',
      '/dsseEnvelope/signatures/0/keyid',
    ],
    [
      'an envelope whose payload was replaced',
      () => envelope((one) => (one.dsseEnvelope.payload = base64(statementOf(bytes, { predicate: {} })))),
      'signature_invalid',
    ],
    [
      'a statement about other bytes',
      () => ({ bundle: envelopeBundle(other, p256) }),
      'signature_invalid',
      'subject_mismatch',
    ],
    [
      'a statement whose second digest is of other bytes',
      () =>
        about({
          subject: [
            {
              digest: {
                sha256: hashOf('sha256', bytes).toString('hex'),
                sha512: hashOf('sha512', other).toString('hex'),
              },
            },
          ],
        }),
      'signature_invalid',
      'subject_mismatch',
    ],
    [
      'a statement that has the digest under a prototype name',
      () => ({
        bundle: envelopeBundle(
          bytes,
          p256,
          Buffer.from(statementOf(bytes).toString().replace('"sha256"', '"__proto__"')),
        ),
      }),
      'bundle_malformed',
    ],
    [
      'a statement without a type',
      () => about({ _type: undefined }),
      'bundle_malformed',
      '/dsseEnvelope/payload/_type',
    ],
    [
      'a statement of an unknown type',
      () => about({ _type: 'https://in-toto.io/Statement/v2' }),
      'bundle_malformed',
      '/dsseEnvelope/payload/_type',
    ],
    ['a statement without subjects', () => about({ subject: [] }), 'bundle_malformed', '/dsseEnvelope/payload/subject'],
    [
      'a payload that is no JSON',
      () => ({ bundle: envelopeBundle(bytes, p256, Buffer.from('{')) }),
      'bundle_malformed',
    ],
    [
      'an old bundle over other bytes',
      () => ({ bundle: { base64Signature: base64(signWith(p256, other)) } }),
      'signature_invalid',
    ],
    [
      'an old bundle by the key that came with it',
      () => {
        const key = newKey()
        return { bundle: { base64Signature: base64(signWith(key, bytes)), cert: base64(Buffer.from(key.pem)) } }
      },
      'signature_invalid',
    ],
    [
      'an old bundle with a forged log entry',
      () => ({
        bundle: {
          base64Signature: base64(signWith(p256, bytes)),
          rekorBundle: {
            SignedEntryTimestamp: 'AAAA',
            Payload: {
              body: base64(Buffer.from('{"kind":"hashedrekord","apiVersion":"0.0.1"}')),
              integratedTime: 1,
              logIndex: 1,
              logID: 'c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d',
            },
          },
        },
      }),
      'signature_invalid',
    ],
    [
      'an old bundle whose log entry is no JSON',
      () => ({
        bundle: {
          base64Signature: base64(signWith(p256, bytes)),
          rekorBundle: {
            SignedEntryTimestamp: 'AAAA',
            Payload: { body: 'AAAA', integratedTime: 1, logIndex: 1, logID: 'c0' },
          },
        },
      }),
      'bundle_malformed',
      '/rekorBundle/Payload/body',
    ],
  ]
  for (const [what, make, code, where] of refused)
    it(`refuses ${what}, within 50 ms of a core`, async () => {
      let fastest = Number.POSITIVE_INFINITY
      for (let round = 0; round < 3; round += 1) {
        const signed = make()
        const began = process.cpuUsage()
        const error = (await judge(signed).then(
          () => ({ code: 'verified', message: '', errors: [] }),
          (thrown: unknown) => thrown,
        )) as { code: string; message: string; errors: { pointer: string; code: string }[] }
        fastest = Math.min(fastest, millisecondsSince(began))
        expect(error.code, error.message).to.equal(code)
        if (where !== undefined) expect([error.errors[0]?.pointer, error.errors[0]?.code]).to.include(where)
      }
      expect(fastest).to.be.below(50)
    })
})
