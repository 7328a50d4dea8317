import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { json } from '@sigstore/core'
import { base64, hashOf, type LooseJson } from '../signed-forms.ts'
import {
  AUTHORITY,
  type Certificate,
  CODE_SIGNING,
  certificateOf,
  type Extension,
  issuerExtension,
  keyIdOf,
  nameExtension,
  TIME_STAMPING,
  usageExtension,
} from './certificate.ts'
import { octets } from './der.ts'
import { timestampOf } from './timestamp.ts'

const YEAR_MS = 365 * 86_400_000
const MINUTE_MS = 60_000
const SCT = '1.3.6.1.4.1.11129.2.4.2'
const spkiOf = (key: KeyObject) => createPublicKey(key).export({ format: 'der', type: 'spki' })
const note = (text: string, name: string, id: Buffer, key: KeyObject, hash: string | null) =>
  `${text}\n\u2014 ${name} ${base64(Buffer.concat([id.subarray(0, 4), sign(hash, Buffer.from(text), key)]))}\n`

export type Leaf = {
  at: Date
  issuer?: string
  /** General names; by default one e-mail address. */
  names?: { kind: number; value: Buffer }[]
  /** In place of those that name the issuer. */
  extensions?: Extension[]
  usage?: string
  withoutSct?: boolean
}

/** A Sigstore instance of its own: authority, certificate log, timestamp authority, and logs of both generations. */
export function openInstance(opened: Date) {
  const span = { from: opened, to: new Date(opened.getTime() + 10 * YEAR_MS) }
  const root = certificateOf({ subject: 'test root', ...span, extensions: AUTHORITY })
  const ca = certificateOf({ subject: 'test ca', issuer: root, ...span, extensions: AUTHORITY })
  const tsa = certificateOf({ subject: 'test tsa', issuer: root, ...span, extensions: [usageExtension(TIME_STAMPING)] })
  const ctlog = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const rekor1 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const rekor2 = generateKeyPairSync('ed25519').privateKey

  /** A certificate for a new key, valid for ten minutes from `at`, in the certificate log. */
  function certify({ at, issuer = 'https://issuer.test', names, extensions, usage = CODE_SIGNING, withoutSct }: Leaf) {
    const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const own = [
      usageExtension(usage),
      nameExtension(names ?? [{ kind: 1, value: Buffer.from('dev@demo.test') }]),
      ...(extensions ?? issuerExtension(issuer)),
    ]
    const made = { subject: 'leaf', issuer: ca, from: at, to: new Date(at.getTime() + 10 * MINUTE_MS), privateKey }
    const serialised = certificateOf({ ...made, extensions: own })
    if (withoutSct) return serialised
    const sct = octets(sctOf(serialised.tbs, at))
    return certificateOf({ ...made, extensions: [...own, { oid: SCT, value: sct }], serial: serialised.serial })
  }

  function sctOf(tbs: Buffer, at: Date): Buffer {
    const time = Buffer.alloc(8)
    time.writeBigUInt64BE(BigInt(at.getTime()))
    const size = Buffer.from([tbs.length >> 16, (tbs.length >> 8) & 255, tbs.length & 255])
    const entry = Buffer.concat([
      Buffer.from([0, 0]),
      time,
      Buffer.from([0, 1]),
      keyIdOf(ca.spki),
      size,
      tbs,
      Buffer.alloc(2),
    ])
    const signature = sign('sha256', entry, ctlog)
    const short = (value: number) => Buffer.from([value >> 8, value & 255])
    const head = Buffer.concat([Buffer.from([0]), keyIdOf(spkiOf(ctlog)), time, short(0), Buffer.from([4, 3])])
    const sct = Buffer.concat([head, short(signature.length), signature])
    return Buffer.concat([short(sct.length + 2), short(sct.length), sct])
  }

  const entryOf = (body: object, log: KeyObject, host: string, version: string, kind: string): LooseJson => {
    const text = Buffer.from(json.canonicalize(body))
    const leaf = createHash('sha256')
      .update(Buffer.from([0]))
      .update(text)
      .digest()
    const id = keyIdOf(spkiOf(log))
    const origin = `${host}\n1\n${base64(leaf)}\n`
    return {
      logIndex: '0',
      logId: { keyId: base64(id) },
      kindVersion: { kind, version },
      canonicalizedBody: base64(text),
      inclusionProof: {
        logIndex: '0',
        treeSize: '1',
        rootHash: base64(leaf),
        hashes: [],
        checkpoint: { envelope: note(origin, host, id, log, log === rekor2 ? null : 'sha256') },
      },
    }
  }

  /** An entry of Rekor v1: the log promises it and says when. */
  function promised(body: object, kind: string, version: string, at: Date): LooseJson {
    const entry = entryOf(body, rekor1, 'rekor.test', version, kind)
    const integratedTime = Math.floor(at.getTime() / 1000)
    const logID = keyIdOf(spkiOf(rekor1)).toString('hex')
    const payload = json.canonicalize({ body: entry.canonicalizedBody, integratedTime, logIndex: 0, logID })
    const signedEntryTimestamp = base64(sign('sha256', Buffer.from(payload), rekor1))
    return { ...entry, integratedTime: String(integratedTime), inclusionPromise: { signedEntryTimestamp } }
  }

  return {
    certify,
    rekor1,
    rekor2,
    authority: { root, ca, tsa } as { root: Certificate; ca: Certificate; tsa: Certificate },
    /** Rekor v1 over a message signature. */
    hashed: (payload: Uint8Array, signature: string, at: Date) =>
      promised(
        {
          apiVersion: '0.0.1',
          kind: 'hashedrekord',
          spec: {
            data: { hash: { algorithm: 'sha256', value: hashOf('sha256', payload).toString('hex') } },
            signature: { content: signature, publicKey: { content: '' } },
          },
        },
        'hashedrekord',
        '0.0.1',
        at,
      ),
    /** Rekor v1 over an envelope. */
    enveloped: (payload: Uint8Array, signature: string, at: Date) =>
      promised(
        {
          apiVersion: '0.0.1',
          kind: 'dsse',
          spec: {
            payloadHash: { algorithm: 'sha256', value: hashOf('sha256', payload).toString('hex') },
            signatures: [{ signature, verifier: '' }],
          },
        },
        'dsse',
        '0.0.1',
        at,
      ),
    /** Rekor v2, which says no time: over what was signed, be it the bytes or a whole envelope. */
    hashed2: (signed: Uint8Array, signature: string) =>
      entryOf(
        {
          apiVersion: '0.0.2',
          kind: 'hashedrekord',
          spec: {
            hashedRekordV002: {
              data: { algorithm: 'SHA2_256', digest: base64(hashOf('sha256', signed)) },
              signature: { content: signature },
            },
          },
        },
        rekor2,
        'log2.rekor.test',
        '0.0.2',
        'hashedrekord',
      ),
    timestamp: (signature: string, at: Date) => ({
      signedTimestamp: base64(timestampOf(Buffer.from(signature, 'base64'), tsa, at)),
    }),
    /** `trusted_root.json` of this instance. */
    trustedRoot: (): LooseJson => {
      const validFor = () => ({ start: opened.toISOString() })
      const log = (baseUrl: string, key: KeyObject, keyDetails: string) => ({
        baseUrl,
        hashAlgorithm: 'SHA2_256',
        publicKey: { rawBytes: base64(spkiOf(key)), keyDetails, validFor: validFor() },
        logId: { keyId: base64(keyIdOf(spkiOf(key))) },
      })
      const chain = (...certificates: Certificate[]) => ({
        certChain: { certificates: certificates.map((one) => ({ rawBytes: base64(one.der) })) },
        validFor: validFor(),
      })
      return {
        mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
        tlogs: [
          log('https://rekor.test', rekor1, 'PKIX_ECDSA_P256_SHA_256'),
          log('https://log2.rekor.test', rekor2, 'PKIX_ED25519'),
        ],
        certificateAuthorities: [{ uri: 'https://fulcio.test', ...chain(ca, root) }],
        ctlogs: [log('https://ctlog.test', ctlog, 'PKIX_ECDSA_P256_SHA_256')],
        timestampAuthorities: [{ uri: 'https://tsa.test', ...chain(tsa, root) }],
      }
    },
  }
}
export type Instance = ReturnType<typeof openInstance>
