import { expect } from 'chai'
import { trustRootCheck } from '../../../../producers/marketplace/health-checks.ts'
import { publicTrustRoot, readTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import { type RegisteredIdentity, verifySignature } from '../../../../producers/marketplace/trust/verify-signature.ts'
import { newKey } from '../../../support/organisations.ts'
import { packageBytes } from '../../../support/packages.ts'
import { base64, type LooseJson, messageBundle } from '../../../support/signed-forms.ts'
import { openInstance } from '../../../support/sigstore/instance.ts'
import { keylessBundle, oldKeylessBundle } from '../../../support/sigstore/keyless.ts'

const MINUTE_MS = 60_000
const opened = new Date('2026-01-01T00:00:00Z')
const at = new Date('2026-06-01T12:00:00Z')
const later = (minutes: number) => new Date(at.getTime() + minutes * MINUTE_MS)
const receivedAt = new Date('2026-11-02T10:00:00Z')
const bytes = packageBytes({ name: 'keyless' })
const other = packageBytes({ name: 'keyless', version: '2.0.0' })

/** Of a core, not of the clock: what else this machine does is not what is asked. */
const millisecondsSince = (began: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1_000
}

describe('producers/marketplace/trust: signatures without a key', () => {
  const instance = openInstance(opened)
  const root = readTrustRoot(JSON.stringify(instance.trustedRoot()))
  const key = newKey()
  const registered: RegisteredIdentity = {
    id: 'identity-1',
    issuer: 'https://issuer.test',
    subject: 'dev@demo.test',
    validFrom: opened,
    revokedAt: null,
  }
  const judge = (
    bundle: LooseJson,
    change: Partial<RegisteredIdentity> = {},
    trusted = root,
    revokedAt: Date | null = null,
  ) =>
    verifySignature(
      bytes,
      { bundle },
      {
        signers: {
          keys: [{ ...key, validFrom: opened, revokedAt }],
          identities: [{ ...registered, ...change }],
          foreign: async () => [],
        },
        root: () => trusted,
        receivedAt,
      },
    )
  const made = (options: Parameters<typeof keylessBundle>[3] = {}, of = bytes) =>
    keylessBundle(instance, of, at, options)
  const loggedByKey = (): LooseJson => {
    const bundle = messageBundle(bytes, key)
    bundle.verificationMaterial.tlogEntries = [instance.hashed(bytes, bundle.messageSignature.signature, later(2))]
    return bundle
  }

  const workflow = 'https://github.com/demo/pack/.github/workflows/release.yml@refs/tags/v1'
  const accepted: [string, () => LooseJson, Partial<RegisteredIdentity>?][] = [
    ['a message in Rekor v1', () => made()],
    ['a message in Rekor v2 with a timestamp', () => made({ rekor: 2 })],
    ['an envelope in Rekor v1', () => made({ content: 'envelope' })],
    ['an envelope in Rekor v2, whose entry is over the whole of it', () => made({ content: 'envelope', rekor: 2 })],
    ['what cosign wrote before', () => oldKeylessBundle(made())],
    [
      'a workflow that is named by a URI',
      () => made({ leaf: { names: [{ kind: 6, value: Buffer.from(workflow) }] } }),
      { subject: workflow },
    ],
  ]
  const oldMaterial = (certificates: unknown[], tlogEntries: unknown[]) => ({
    verificationMaterial: { x509CertificateChain: { certificates }, tlogEntries },
  })
  for (const [what, make, identity] of accepted)
    it(`takes ${what}`, async () => {
      const verified = await judge(make(), identity)
      expect(verified).to.include({ signer: 'identity-1', form: 'bundle' })
      expect(verified.signedAt?.toISOString()).to.equal(at.toISOString())
    })

  it('takes a v0.1 bundle with its chain', async () => {
    const bundle = made()
    const { certificate, tlogEntries } = bundle.verificationMaterial
    const chain = [certificate, { rawBytes: base64(instance.authority.ca.der) }]
    const old = {
      ...bundle,
      mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
      ...oldMaterial(chain, tlogEntries),
    }
    expect((await judge(old)).signer).to.equal('identity-1')
  })

  it('takes a v0.1 bundle whose proof has no checkpoint, by the promise of the log alone', async () => {
    const bundle = made()
    const [entry] = bundle.verificationMaterial.tlogEntries
    delete entry.inclusionProof.checkpoint
    const { certificate } = bundle.verificationMaterial
    expect(await judge(bundle).catch((error: { code: string }) => error.code)).to.equal('bundle_malformed')
    const old = oldMaterial([certificate], [entry])
    const version = 'application/vnd.dev.sigstore.bundle+json;version=0.1'
    expect((await judge({ ...bundle, mediaType: version, ...old })).signer).to.equal('identity-1')
  })

  it('takes a checkpoint that witnesses signed too, whatever they are called', async () => {
    const bundle = made({ rekor: 2 })
    const { checkpoint } = bundle.verificationMaterial.tlogEntries[0].inclusionProof
    checkpoint.envelope += '\u2014 witness.test/(a+)+b wNI9atQGlzAA\n\u2014 other.test+1 wNI9atQGlzAA\n'
    expect((await judge(bundle)).signer).to.equal('identity-1')
  })

  it('takes what a registered key signed before its revocation, when a log says so', async () => {
    const before = await judge(loggedByKey(), {}, root, later(3))
    expect([before.signer, before.signedAt?.toISOString()]).to.deep.equal([key.keyId, later(2).toISOString()])
    const error = await judge(loggedByKey(), {}, root, later(1)).catch((thrown: { code: string }) => thrown)
    expect(error).to.have.property('code', 'signer_not_registered')
  })

  const change = (edit: (one: LooseJson) => void, options?: Parameters<typeof keylessBundle>[3]) => () => {
    const bundle = made(options)
    edit(bundle)
    return bundle
  }
  const named = (...names: Buffer[]) => made({ leaf: { names: names.map((value) => ({ kind: 1, value })) } })
  const spied = openInstance(opened)
  const stranger = (bundle: LooseJson): LooseJson[] => bundle.verificationMaterial.tlogEntries
  const refused: [string, () => LooseJson, string, Partial<RegisteredIdentity>?][] = [
    [
      'a name that contains the registered one',
      () => named(Buffer.from('evil-dev@demo.test')),
      'signer_not_registered',
    ],
    [
      'a name that begins with the registered one',
      () => named(Buffer.from('dev@demo.test.evil')),
      'signer_not_registered',
    ],
    [
      'a name for which the registered one would be a pattern',
      () => named(Buffer.from('dev@demoxtest')),
      'signer_not_registered',
    ],
    [
      'a name that reads like it without its eighth bits',
      () => named(Buffer.concat([Buffer.from([0xe4]), Buffer.from('ev@demo.test')])),
      'signature_invalid',
    ],
    ['a name with a zero character', () => named(Buffer.from('dev@demo.test\0.evil')), 'signature_invalid'],
    ['two names', () => named(Buffer.from('dev@demo.test'), Buffer.from('evil@x.test')), 'signature_invalid'],
    ['no name', () => named(), 'signature_invalid'],
    ['another issuer', () => made({ leaf: { issuer: 'https://other.test' } }), 'signer_not_registered'],
    ['no issuer', () => made({ leaf: { extensions: [] } }), 'signature_invalid'],
    [
      'two issuers that differ',
      () =>
        made({
          leaf: {
            extensions: [
              { oid: '1.3.6.1.4.1.57264.1.1', value: Buffer.from('https://a.test') },
              { oid: '1.3.6.1.4.1.57264.1.8', value: Buffer.from('\x0c\x13https://issuer.test') },
            ],
          },
        }),
      'signature_invalid',
    ],
    ['an identity before it counts', () => made(), 'signer_not_registered', { validFrom: later(1) }],
    ['an identity after its revocation', () => made(), 'signer_not_registered', { revokedAt: at }],
    ['a certificate for something else', () => made({ leaf: { usage: '1.3.6.1.5.5.7.3.1' } }), 'signature_invalid'],
    ['a certificate that is in no log', () => made({ leaf: { withoutSct: true } }), 'signature_invalid'],
    ['a certificate of another instance', () => keylessBundle(spied, bytes, at), 'signature_invalid'],
    ['a certificate that had expired', () => made({ at: later(11) }), 'signature_invalid'],
    ['a certificate that was not valid yet', () => made({ at: later(-1) }), 'signature_invalid'],
    ['a timestamp after the certificate expired', () => made({ rekor: 2, at: later(11) }), 'signature_invalid'],
    ['no log entry', change((one) => (one.verificationMaterial.tlogEntries = [])), 'signature_invalid'],
    [
      'a timestamp without a log entry',
      change((one) => (one.verificationMaterial.tlogEntries = []), { rekor: 2 }),
      'signature_invalid',
    ],
    [
      'Rekor v2 without a timestamp',
      change((one) => delete one.verificationMaterial.timestampVerificationData, { rekor: 2 }),
      'signature_invalid',
    ],
    [
      'a timestamp over another signature',
      change(
        (one) =>
          (one.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [instance.timestamp('AAAA', at)]),
        { rekor: 2 },
      ),
      'signature_invalid',
    ],
    [
      'a timestamp of another authority',
      change(
        (one) =>
          (one.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [
            spied.timestamp(one.messageSignature.signature, at),
          ]),
        { rekor: 2 },
      ),
      'signature_invalid',
    ],
    [
      'the same timestamp twice',
      change(
        (one) =>
          one.verificationMaterial.timestampVerificationData.rfc3161Timestamps.push(
            one.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0],
          ),
        { rekor: 2 },
      ),
      'signature_invalid',
    ],
    [
      'the log entry of another signature',
      change((one) => (one.verificationMaterial.tlogEntries = stranger(made()))),
      'signature_invalid',
    ],
    [
      'a log entry of another instance',
      change(
        (one) => (one.verificationMaterial.tlogEntries = [spied.hashed(bytes, one.messageSignature.signature, at)]),
      ),
      'signature_invalid',
    ],
    [
      'a log entry whose time was moved',
      change(
        (one) =>
          (one.verificationMaterial.tlogEntries[0].integratedTime = String(Math.floor(later(1).getTime() / 1000))),
      ),
      'signature_invalid',
    ],
    [
      'a log entry that is not under the checkpoint',
      change(
        (one) =>
          (one.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint = stranger(
            made(),
          )[0].inclusionProof.checkpoint),
      ),
      'signature_invalid',
    ],
    [
      'a log entry of another kind than its body',
      change((one) => (one.verificationMaterial.tlogEntries[0].kindVersion = { kind: 'dsse', version: '0.0.1' })),
      'signature_invalid',
    ],
    [
      'an envelope in Rekor v2 whose entry is over its payload',
      change(
        (one) => {
          const { payload, signatures } = one.dsseEnvelope
          one.verificationMaterial.tlogEntries = [instance.hashed2(Buffer.from(payload, 'base64'), signatures[0].sig)]
        },
        { content: 'envelope', rekor: 2 },
      ),
      'signature_invalid',
    ],
    ['other bytes', () => made({}, other), 'signature_invalid'],
    ['an envelope about other bytes', () => made({ content: 'envelope' }, other), 'signature_invalid'],
    [
      'an old bundle with the log entry of another signature',
      () => ({ ...oldKeylessBundle(made()), rekorBundle: oldKeylessBundle(made()).rekorBundle }),
      'signature_invalid',
    ],
    [
      'an old bundle without a log entry',
      () => ({ ...oldKeylessBundle(made()), rekorBundle: null }),
      'signature_invalid',
    ],
    [
      'a key bundle with the log entry of another signature',
      () => {
        const bundle = loggedByKey()
        bundle.verificationMaterial.tlogEntries = loggedByKey().verificationMaterial.tlogEntries
        return bundle
      },
      'signature_invalid',
    ],
  ]
  for (const [what, make, code, identity] of refused)
    it(`refuses ${what}, within 50 ms of a core`, async () => {
      let fastest = Number.POSITIVE_INFINITY
      for (let round = 0; round < 3; round += 1) {
        const bundle = make()
        const began = process.cpuUsage()
        const error = (await judge(bundle, identity).then(
          () => ({ code: 'verified', message: '' }),
          (thrown: unknown) => thrown,
        )) as { code: string; message: string }
        fastest = Math.min(fastest, millisecondsSince(began))
        expect(error.code, error.message).to.equal(code)
      }
      expect(fastest).to.be.below(50)
    })

  describe('the trusted root', () => {
    const without = (edit: (one: LooseJson) => void) => {
      const json = instance.trustedRoot()
      edit(json)
      return readTrustRoot(JSON.stringify(json))
    }
    const code = (trusted: typeof root, bundle = made()) =>
      judge(bundle, {}, trusted).then(
        () => 'verified',
        (error: { code: string }) => error.code,
      )

    it('leaves out what does not say since when it is valid', async () => {
      for (const edit of [
        (one: LooseJson) => delete one.tlogs[0].publicKey.validFor,
        (one: LooseJson) => (one.certificateAuthorities[0].validFor = { end: '2030-01-01T00:00:00Z' }),
        (one: LooseJson) => delete one.ctlogs[0].publicKey.validFor.start,
      ]) {
        const trusted = without((one) => void edit(one))
        expect(trusted.left.join()).to.contain('no date it is valid from')
        expect(await code(trusted)).to.equal('signature_invalid')
      }
      expect(
        await code(
          without((one) => delete one.timestampAuthorities[0].validFor),
          made({ rekor: 2 }),
        ),
      ).to.equal('signature_invalid')
    })

    it('leaves out a part of an unknown kind and uses the others', async () => {
      const trusted = without((one) =>
        one.tlogs.unshift({ ...one.tlogs[0], publicKey: { ...one.tlogs[0].publicKey, rawBytes: 'AAAA' } }),
      )
      expect(trusted.left).to.have.length(1)
      expect(await code(trusted)).to.equal('verified')
    })

    it('refuses a file that is none, and one of which nothing can be used', () => {
      expect(() => readTrustRoot('{}')).to.throw('not a trusted_root.json')
      expect(() => readTrustRoot(JSON.stringify({ mediaType: instance.trustedRoot().mediaType }))).to.throw(
        'it is empty',
      )
    })

    it('of the public instance is read whole, offline', async () => {
      const { material, left } = publicTrustRoot()
      expect(left).to.deep.equal([])
      expect(await trustRootCheck(publicTrustRoot).run()).to.include({ detail: 'its newest part is of 2025-09-23' })
      expect(material.tlogs.map(({ baseURL }) => baseURL)).to.include.members([
        'https://rekor.sigstore.dev',
        'https://log2025-1.rekor.sigstore.dev',
      ])
      expect([
        material.certificateAuthorities.length,
        material.ctlogs.length,
        material.timestampAuthorities.length,
      ]).to.deep.equal([2, 2, 1])
    })
  })
})
