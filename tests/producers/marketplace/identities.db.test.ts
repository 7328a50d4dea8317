import { expect } from 'chai'
import { probeSignatures } from '../../../producers/marketplace/policy-probes.ts'
import { readTrustRoot } from '../../../producers/marketplace/trust/trust-root.ts'
import { packageBytes } from '../../support/packages.ts'
import { openInstance } from '../../support/sigstore/instance.ts'
import { keylessBundle } from '../../support/sigstore/keyless.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded } from './fixture.ts'

type Identity = { id: string; issuer: string; subject: string; valid_from: string; revoked_at: string | null }

describe('producers/marketplace: identities that sign without a key', () => {
  const instance = openInstance(new Date('2026-01-01T00:00:00Z'))
  const trusted = readTrustRoot(JSON.stringify(instance.trustedRoot()))
  const identity = { issuer: 'https://issuer.test', subject: 'dev@demo.test' }
  let market: Marketplace
  before(async () => {
    market = await openMarketplace(() => trusted)
  })
  after(() => market.close())

  const register = (json: object, as = market.tokens.demo) =>
    market.call<Identity & Problem>('POST', '/orgs/identities', { as, json })
  const upload = (name: string, minutesAgo = 0, as = market.tokens.demo) => {
    const bytes = packageBytes({ name })
    const bundle = keylessBundle(instance, bytes, new Date(market.clock().getTime() - minutesAgo * 60_000))
    return market.call<Uploaded & Problem>('POST', '/wpk/upload', { as, json: { content: bytes.toString(), bundle } })
  }

  it('are asked for by name, and nothing is stored before', async () => {
    const before = await market.stored()
    const { status, body } = await upload('too-early')
    expect([status, body.code]).to.deep.equal([422, 'signer_not_registered'])
    expect(body.detail).to.contain('dev@demo.test of https://issuer.test')
    expect(await market.stored()).to.deep.equal(before)
  })

  it('are registered once, listed, and sign from then on', async () => {
    const { status, body } = await register(identity)
    expect([status, body.revoked_at]).to.deep.equal([201, null])
    expect((await register(identity)).body.code).to.equal('identity_exists')
    const listed = await market.call<{ identities: Identity[] }>('GET', '/orgs/identities', { as: market.tokens.demo })
    expect(listed.body.identities).to.deep.equal([body])
    const uploaded = await upload('keyless')
    expect(uploaded.status, JSON.stringify(uploaded.body)).to.equal(202)
    const seen = await market.call('GET', `/wpk/${uploaded.body.id}`, { as: market.tokens.demo })
    expect(seen.body).to.include({ key_id: body.id, signature_form: 'bundle' })
    expect(seen.body.signer).to.deep.equal({
      kind: 'identity',
      ...identity,
      signed_at: market.clock().toISOString(),
      signed_at_proven: true,
      revoked_at: null,
      counts: true,
      status: 'valid',
    })
    expect(await probeSignatures(market.database.as('atom_marketplace'), () => trusted)()).to.include({
      status: 'compliant',
    })
  })

  it('sign for their own organisation only', async () => {
    expect((await upload('of-demo', 0, market.tokens.acme)).body.code).to.equal('signer_not_registered')
    const listed = await market.call<{ identities: Identity[] }>('GET', '/orgs/identities', { as: market.tokens.acme })
    expect(listed.body.identities).to.deep.equal([])
  })

  it('do not count after their revocation, and count for what was signed before, however late it comes', async () => {
    const { body } = await market.call<{ identities: Identity[] }>('GET', '/orgs/identities', {
      as: market.tokens.demo,
    })
    const [own] = body.identities as [Identity]
    market.clock.advance(20 * 60_000)
    const path = `/orgs/identities/${own.id}`
    expect((await market.call('DELETE', path, { as: market.tokens.acme })).status).to.equal(404)
    expect((await market.call('DELETE', path, { as: market.tokens.demo })).status).to.equal(204)
    market.clock.advance(20 * 60_000)
    expect((await upload('after')).body.code).to.equal('signer_not_registered')
    expect((await upload('before', 25)).status).to.equal(202)
    expect((await register(identity)).status, 'and may be registered again').to.equal(201)
    expect((await upload('again')).status).to.equal(202)
  })

  it('are refused when they are no URL and no name', async () => {
    for (const change of [
      { issuer: 'http://issuer.test' },
      { issuer: '' },
      { subject: '' },
      { subject: 'a b@c.d' },
      { valid_from: '1' },
    ])
      expect((await register({ ...identity, ...change })).status, JSON.stringify(change)).to.equal(400)
  })
})
