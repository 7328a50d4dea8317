import { expect } from 'chai'
import type { SigningKey } from '../../support/organisations.ts'
import { type BundleJson, bundleOf, packageBytes, signatureOf } from '../../support/packages.ts'
import { type Marketplace, openMarketplace, type Problem } from './fixture.ts'

const bytes = packageBytes({ name: 'matrix' })
const content = { content: bytes.toString('utf8') }

describe('producers/marketplace: signatures', () => {
  let market: Marketplace
  let rsa: SigningKey
  let stranger: SigningKey
  let revoked: SigningKey
  before(async () => {
    market = await openMarketplace()
    rsa = await market.organisations.signingKey('demo', 'rsa')
    stranger = await market.organisations.signingKey(null)
    revoked = await market.organisations.signingKey('demo')
    const path = `/orgs/keys/${encodeURIComponent(revoked.keyId)}`
    expect((await market.call('DELETE', path, { as: market.tokens.demo })).status).to.equal(204)
    market.clock.advance(1)
  })
  after(() => market.close())

  const send = (json: object) =>
    market.call<Problem & Record<string, unknown>>('POST', '/wpk/upload', { as: market.tokens.demo, json })

  describe('accepts', () => {
    const accepted: [string, () => [string, object]][] = [
      ['a detached P-256 signature', () => ['p256', {}]],
      ['a detached P-256 signature with its key id', () => ['p256-named', { key_id: market.keys.demo.keyId }]],
      ['a detached RSA signature', () => ['rsa', {}]],
      ['a detached RSA signature with its key id', () => ['rsa-named', { key_id: rsa.keyId }]],
      ['a P-256 bundle', () => ['p256-bundle', {}]],
      ['an RSA bundle', () => ['rsa-bundle', {}]],
    ]
    for (const [what, make] of accepted)
      it(what, async () => {
        const [name, more] = make()
        const own = packageBytes({ name })
        const key = name.startsWith('rsa') ? rsa : market.keys.demo
        const signed = name.endsWith('bundle') ? { bundle: bundleOf(own, key) } : { signature: signatureOf(own, key) }
        const { status, body } = await send({ content: own.toString('utf8'), ...signed, ...more })
        expect(status, JSON.stringify(body)).to.equal(202)
        const detail = await market.call('GET', `/wpk/${body.id}`, { as: market.tokens.demo })
        expect(detail.body).to.include({
          key_id: key.keyId,
          signature_form: name.endsWith('bundle') ? 'bundle' : 'detached',
        })
        const stored = await market.call('GET', `/wpk/${body.id}/bundle`, { as: market.tokens.demo })
        expect(stored.body).to.deep.equal('bundle' in signed ? signed.bundle : { ...signed, key_id: key.keyId })
      })

    it('a signature file as cosign writes it, with a line break at its end', async () => {
      const own = packageBytes({ name: 'line-break' })
      const { status } = await send({
        content: own.toString('utf8'),
        signature: `${signatureOf(own, market.keys.demo)}\n`,
      })
      expect(status).to.equal(202)
    })
  })

  describe('refuses, and stores nothing:', () => {
    const bundle = (change: (one: BundleJson) => unknown, key: SigningKey = market.keys.demo) => {
      const made = bundleOf(bytes, key)
      return { ...content, bundle: change(made) ?? made }
    }
    const other = () => packageBytes({ name: 'matrix', version: '2.0.0' })
    const refused: [string, () => object, string, string?][] = [
      ['no signature', () => content, 'signature_missing'],
      ['an empty signature', () => ({ ...content, signature: '' }), 'signature_missing'],
      [
        'a signature over other bytes',
        () => ({ ...content, signature: signatureOf(other(), market.keys.demo) }),
        'signature_invalid',
      ],
      [
        'one byte of the content changed',
        () => ({ content: `${content.content} `, signature: signatureOf(bytes, market.keys.demo) }),
        'signature_invalid',
      ],
      [
        'a signature over other bytes, with the key id',
        () => ({ ...content, signature: signatureOf(other(), rsa), key_id: rsa.keyId }),
        'signature_invalid',
      ],
      [
        'the id of another own key',
        () => ({ ...content, signature: signatureOf(bytes, rsa), key_id: market.keys.demo.keyId }),
        'signature_invalid',
      ],
      [
        'a key that nobody registered',
        () => ({ ...content, signature: signatureOf(bytes, stranger) }),
        'signature_invalid',
      ],
      [
        'a key that nobody registered, by id',
        () => ({ ...content, signature: signatureOf(bytes, stranger), key_id: stranger.keyId }),
        'signer_not_registered',
      ],
      [
        'a key of another organisation',
        () => ({ ...content, signature: signatureOf(bytes, market.keys.acme) }),
        'signer_not_registered',
      ],
      [
        'a key of another organisation, by id',
        () => ({ ...content, signature: signatureOf(bytes, market.keys.acme), key_id: market.keys.acme.keyId }),
        'signer_not_registered',
      ],
      ['a revoked key', () => ({ ...content, signature: signatureOf(bytes, revoked) }), 'signer_not_registered'],
      [
        'a revoked key, by id',
        () => ({ ...content, signature: signatureOf(bytes, revoked), key_id: revoked.keyId }),
        'signer_not_registered',
      ],
      ['a signature that is no base64', () => ({ ...content, signature: '!!!!' }), 'signature_invalid', '/signature'],
      [
        'junk inside the base64',
        () => ({ ...content, signature: signatureOf(bytes, market.keys.demo).replace(/^(....)/, '$1*') }),
        'signature_invalid',
        '/signature',
      ],
      [
        'base64 without its padding',
        () => ({ ...content, signature: `${signatureOf(bytes, rsa)}`.replace(/=+$/, '') }),
        'signature_invalid',
        '/signature',
      ],
      [
        'a signature and a bundle',
        () => ({ ...bundle(() => {}), signature: signatureOf(bytes, market.keys.demo) }),
        'bundle_malformed',
      ],
      [
        'a bundle over other bytes',
        () => ({ ...content, bundle: bundleOf(other(), market.keys.demo) }),
        'signature_invalid',
        '/messageSignature/messageDigest/digest',
      ],
      [
        'a bundle for other bytes whose digest was replaced',
        () => ({
          ...content,
          bundle: {
            ...bundleOf(other(), market.keys.demo),
            messageSignature: {
              ...bundleOf(other(), market.keys.demo).messageSignature,
              messageDigest: bundleOf(bytes, market.keys.demo).messageSignature.messageDigest,
            },
          },
        }),
        'signature_invalid',
      ],
      ['a bundle by another organisation', () => bundle(() => {}, market.keys.acme), 'signer_not_registered'],
      ['a bundle by a revoked key', () => bundle(() => {}, revoked), 'signer_not_registered'],
      [
        'a bundle that names another own key',
        () =>
          bundle((one) => {
            one.verificationMaterial.publicKey.hint = rsa.keyId
          }),
        'signature_invalid',
      ],
      [
        'a bundle of a format that does not exist',
        () =>
          bundle((one) => {
            one.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.4'
          }),
        'bundle_malformed',
        '/mediaType',
      ],
      [
        'a bundle of a format that only looks alike',
        () =>
          bundle((one) => {
            one.mediaType += ';x=1'
          }),
        'bundle_malformed',
        '/mediaType',
      ],
      ['a bundle with an unknown member', () => bundle((one) => ({ ...one, extra: 1 })), 'bundle_malformed', '/extra'],
      [
        'a bundle with an unknown member inside',
        () =>
          bundle((one) => {
            Object.assign(one.messageSignature, { 'a/b': 1 })
          }),
        'bundle_malformed',
        '/messageSignature/a~1b',
      ],
      [
        'a bundle with two contents',
        () => bundle((one) => ({ ...one, dsseEnvelope: { payload: '', payloadType: '', signatures: [] } })),
        'bundle_malformed',
        '/dsseEnvelope',
      ],
      [
        'a bundle with a certificate that is none',
        () =>
          bundle((one) => {
            Object.assign(one, { verificationMaterial: { certificate: { rawBytes: 'AA==' } } })
          }),
        'bundle_malformed',
      ],
      [
        'a bundle without a key',
        () =>
          bundle((one) => {
            Object.assign(one, { verificationMaterial: {} })
          }),
        'bundle_malformed',
        '/verificationMaterial',
      ],
      [
        'a bundle with many log entries',
        () =>
          bundle((one) => {
            one.verificationMaterial.tlogEntries = [{}, {}]
          }),
        'bundle_malformed',
        '/verificationMaterial/tlogEntries',
      ],
      [
        'a bundle with many timestamps',
        () =>
          bundle((one) => {
            Object.assign(one.verificationMaterial, { timestampVerificationData: { rfc3161Timestamps: [{}, {}, {}] } })
          }),
        'bundle_malformed',
        '/verificationMaterial/timestampVerificationData/rfc3161Timestamps',
      ],
      [
        'a bundle with another digest algorithm',
        () =>
          bundle((one) => {
            one.messageSignature.messageDigest.algorithm = 'SHA1'
          }),
        'bundle_malformed',
        '/messageSignature/messageDigest/algorithm',
      ],
      [
        'a bundle with junk in its signature',
        () =>
          bundle((one) => {
            one.messageSignature.signature += '*'
          }),
        'bundle_malformed',
        '/messageSignature/signature',
      ],
      [
        'a bundle without a signature',
        () =>
          bundle((one) => {
            Object.assign(one, { messageSignature: { messageDigest: one.messageSignature.messageDigest } })
          }),
        'bundle_malformed',
        '/messageSignature/signature',
      ],
      ['a bundle that is a text', () => bundle(() => 'bundle'), 'bundle_malformed'],
      ['a bundle that is a list', () => bundle(() => []), 'bundle_malformed'],
      ['a bundle that is null', () => ({ ...content, bundle: null }), 'bundle_malformed'],
    ]
    for (const [what, make, code, pointer] of refused)
      it(what, async () => {
        const before = await market.stored()
        const { status, body } = await send(make())
        expect([status, body.code], body.detail).to.deep.equal([422, code])
        if (pointer !== undefined) expect(body.errors[0]?.pointer).to.equal(pointer)
        expect(await market.stored()).to.deep.equal(before)
      })

    it('a bundle over 64 kB', async () => {
      const before = await market.stored()
      const { status, body } = await send({
        ...content,
        bundle: { ...bundleOf(bytes, market.keys.demo), padding: 'x'.repeat(64_000) },
      })
      expect([status, body.code]).to.deep.equal([413, 'bundle_too_large'])
      expect(await market.stored()).to.deep.equal(before)
    })
  })

  it('judges the signature before the content', async () => {
    expect((await send({ content: 'not a package' })).body.code).to.equal('signature_missing')
  })
})
