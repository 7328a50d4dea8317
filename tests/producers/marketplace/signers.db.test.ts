import { expect } from 'chai'
import { proofText } from '../../../producers/marketplace/signing-keys.ts'
import { type KeyKind, newKey, type SigningKey } from '../../support/organisations.ts'
import { packageBytes } from '../../support/packages.ts'
import { base64, signWith } from '../../support/signed-forms.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded, verdictOf } from './fixture.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
type Key = { key_id: string; algorithm: string; valid_from: string; revoked_at: string | null }
type Signer = {
  signer: { kind: string; key_id: string; public_key: string; counts: boolean; revoked_at: string | null }
}

describe('producers/marketplace: signing keys of an organisation', () => {
  let market: Marketplace
  let counter = 0
  before(async () => {
    market = await openMarketplace()
    await market.judging((_, digest) => verdictOf(digest))
  })
  after(() => market.close())

  const inMs = (ms: number) => new Date(market.clock().getTime() + ms).toISOString()
  const proofOf = (key: SigningKey, org = 'demo') => base64(signWith(key, Buffer.from(proofText(org, key.keyId))))
  const register = (key: SigningKey, more: object = {}) =>
    market.call<Key & Problem>('POST', '/orgs/keys', {
      as: market.tokens.demo,
      json: { public_key: key.pem, proof: proofOf(key), ...more },
    })
  const revoke = (key: SigningKey, query = '') =>
    market.call<Problem>('DELETE', `/orgs/keys/${encodeURIComponent(key.keyId)}${query}`, { as: market.tokens.demo })
  const upload = (key: SigningKey, name = `rotated-${++counter}`) => {
    const bytes = packageBytes({ name })
    return market.call<Uploaded & Problem>('POST', '/wpk/upload', {
      as: market.tokens.demo,
      json: { content: bytes.toString(), signature: base64(signWith(key, bytes)), key_id: key.keyId },
    })
  }
  const codeOf = async (reply: Promise<{ status: number; body: Problem }>) => {
    const { status, body } = await reply
    return status < 300 ? status : body.code
  }

  for (const kind of ['P-256', 'P-384', 'ed25519', 'rsa'] as KeyKind[])
    it(`registers a key of kind ${kind} with a proof of possession, and takes what it signs`, async () => {
      const key = newKey(kind)
      const { status, body } = await register(key)
      expect(status, JSON.stringify(body)).to.equal(201)
      expect(body).to.include({ key_id: key.keyId, revoked_at: null, valid_from: market.clock().toISOString() })
      expect(await codeOf(upload(key))).to.equal(202)
      expect(await codeOf(register(key))).to.equal('key_exists')
    })

  it('refuses a proof by another key, for another organisation, and one that is none', async () => {
    const key = newKey('ed25519')
    const stranger = newKey('ed25519')
    for (const proof of [
      proofOf(key, 'acme'),
      base64(signWith(stranger, Buffer.from(proofText('demo', key.keyId)))),
      'AAAA',
      '',
    ])
      expect(await codeOf(register(key, { proof }))).to.equal('proof_invalid')
  })

  it('rotates with overlap: the new key counts from its day, the old one until its', async () => {
    const [old, next] = [newKey(), newKey()]
    expect((await register(old)).status).to.equal(201)
    expect((await register(next, { valid_from: inMs(DAY_MS) })).body.valid_from).to.equal(inMs(DAY_MS))
    expect(await codeOf(revoke(old, `?from=${encodeURIComponent(inMs(2 * DAY_MS))}`))).to.equal(204)
    expect([await codeOf(upload(old)), await codeOf(upload(next))]).to.deep.equal([202, 'signer_not_registered'])
    market.clock.advance(DAY_MS)
    expect([await codeOf(upload(old)), await codeOf(upload(next))]).to.deep.equal([202, 202])
    market.clock.advance(DAY_MS)
    expect([await codeOf(upload(old)), await codeOf(upload(next))]).to.deep.equal(['signer_not_registered', 202])
  })

  it('brings a revocation forward, and never puts it off or takes it back', async () => {
    const key = newKey()
    await register(key)
    const revokedAt = async () => {
      const { body } = await market.call<{ keys: Key[] }>('GET', '/orgs/keys', { as: market.tokens.demo })
      return body.keys.find(({ key_id }) => key_id === key.keyId)?.revoked_at
    }
    const [later, soon] = [inMs(2 * DAY_MS), inMs(HOUR_MS)]
    for (const [from, expected] of [
      [later, later],
      [soon, soon],
      [later, soon],
    ] as const) {
      expect(await codeOf(revoke(key, `?from=${from}`))).to.equal(204)
      expect(await revokedAt()).to.equal(expected)
    }
    const owner = market.database.as('postgres')
    for (const value of ['null', "now() + interval '9 years'"])
      expect(
        await owner
          .query(`update marketplace.signing_keys set revoked_at = ${value} where key_id = ?`, [key.keyId])
          .catch((error: Error) => error.message),
      ).to.contain('neither taken back nor put off')
  })

  it('has room for 20 keys at once, and a revoked one makes room', async () => {
    const as = await market.organisations.token('acme', 'partner')
    const add = (key: SigningKey) =>
      codeOf(market.call('POST', '/orgs/keys', { as, json: { public_key: key.pem, proof: proofOf(key, 'acme') } }))
    const keys = Array.from({ length: 20 }, () => newKey('ed25519'))
    const codes: unknown[] = []
    // The organisation has one from the start.
    for (const key of keys) codes.push(await add(key))
    expect(codes).to.deep.equal([...Array(19).fill(201), 'too_many_keys'])
    const first = encodeURIComponent(keys[0]?.keyId ?? '')
    expect((await market.call('DELETE', `/orgs/keys/${first}`, { as })).status).to.equal(204)
    expect(await add(keys[19] as SigningKey)).to.equal(201)
  })

  it('refuses a moment that is no time, or too far ahead', async () => {
    const key = newKey()
    expect(await codeOf(register(key, { valid_from: 'tomorrow' }))).to.equal('body_malformed')
    expect(await codeOf(register(key, { valid_from: inMs(400 * DAY_MS) }))).to.equal('body_malformed')
    await register(key)
    for (const from of ['yesterday', inMs(400 * DAY_MS)])
      expect(await codeOf(revoke(key, `?from=${from}`))).to.equal('parameter_invalid')
    expect(await codeOf(upload(key))).to.equal(202)
  })

  it('lets nobody approve what was signed after the moment of a revocation, and leaves what was signed before', async () => {
    const key = newKey()
    await register(key)
    const early = (await upload(key)).body
    market.clock.advance(HOUR_MS)
    const late = (await upload(key)).body
    for (const { id } of [early, late]) await market.statusBecomes(id, 'in_review')
    expect(await codeOf(revoke(key, `?from=${inMs(-HOUR_MS / 2)}`))).to.equal(204)
    const decide = (id: string, decision: string) =>
      market.call<Problem>('POST', `/wpk/review/${id}`, {
        as: market.tokens.reviewer,
        json: { decision, justification: 'looked at it' },
      })
    expect(await codeOf(decide(late.id, 'approve'))).to.equal('signer_revoked')
    expect(await codeOf(decide(late.id, 'reject'))).to.equal(200)
    expect(await codeOf(decide(early.id, 'approve'))).to.equal(200)
    await market.statusBecomes(early.id, 'published')
    const { body } = await market.call<Signer>('GET', `/wpk/${early.id}`, { as: market.tokens.acme })
    expect(body.signer, 'whoever may use it sees what verifies it').to.include({
      kind: 'key',
      key_id: key.keyId,
      public_key: key.pem,
      counts: true,
    })
    expect(body.signer.revoked_at).to.equal(inMs(-HOUR_MS / 2))
  })

  it('lets no machine publish a version whose signer was revoked before', async () => {
    const { id, digest } = (await upload(market.keys.demo, 'machine')).body
    await market.statusBecomes(id, 'in_review')
    await market.call('POST', `/wpk/review/${id}`, {
      as: market.tokens.reviewer,
      json: { decision: 'approve', justification: 'fine' },
    })
    await market.statusBecomes(id, 'published')
    expect(digest).to.match(/^sha256:/)
    const key = newKey()
    await register(key)
    // The upload is verified with the key as it is; the verdict finds it revoked from an earlier moment.
    const owner = market.database.as('postgres')
    await owner.query(`create function marketplace.test_revoke() returns trigger language plpgsql security definer as $$
      begin update marketplace.signing_keys set revoked_at = new.submitted_at - interval '1 second'
        where key_id = new.key_id; return new; end $$`)
    await owner.query(`create trigger test_revoke after insert on marketplace.versions
      for each row when (new.version = '1.0.1') execute function marketplace.test_revoke()`)
    const bytes = packageBytes({ name: 'machine', version: '1.0.1', mode: 'manual' })
    const { body } = await market.call<Uploaded>('POST', '/wpk/upload', {
      as: market.tokens.demo,
      json: { content: bytes.toString(), signature: base64(signWith(key, bytes)) },
    })
    const seen = await market.statusBecomes(body.id, 'in_review')
    expect((seen as { reason: string }).reason).to.contain('the signer was revoked from')
  })
})
