import { expect } from 'chai'
import type { ApiScope, Role } from '../../../platform/auth/principal.ts'
import { proofText } from '../../../producers/marketplace/signing-keys.ts'
import { signatureOf } from '../../support/packages.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded } from './fixture.ts'

type List = {
  wpks: { id: string; name: string; status: string; publisher: string }[]
  count: number
  next: string | null
}
type KeyList = { keys: { key_id: string; revoked_at: string | null }[] }

describe('producers/marketplace: what each caller sees', () => {
  let market: Marketplace
  let hidden: Uploaded
  let published: Uploaded
  before(async () => {
    market = await openMarketplace()
    published = await market.upload({
      name: 'public-one',
      tags: ['backup', 'nightly'],
      description: 'Backs up 100% of a database.',
    })
    hidden = await market.upload({ name: 'hidden-one' })
    await market.database
      .as('postgres')
      .query(
        "update marketplace.versions set status = 'published', published_at = submitted_at, verdict = '{}' where name = 'public-one'",
      )
  })
  after(() => market.close())

  const as = (org: string, ...roles: Role[]) => market.organisations.token(org, ...roles)
  const key = (org: string, ...scopes: ApiScope[]) => market.organisations.apiKey(org, ...scopes)
  const list = async (query: string, token = market.tokens.demo) =>
    (await market.call<List>('GET', `/wpk/list${query}`, { as: token })).body
  const names = async (query: string, token?: string) => (await list(query, token)).wpks.map(({ name }) => name)

  describe('another organisation', () => {
    for (const path of ['', '/content', '/bundle', '/verdict'])
      it(`gets 404 for /wpk/{id}${path} of what is not published, like for what does not exist`, async () => {
        const there = await market.call<Problem & { request_id: string; instance: string }>(
          'GET',
          `/wpk/${hidden.id}${path}`,
          { as: market.tokens.acme },
        )
        const absent = await market.call<Problem & { request_id: string; instance: string }>(
          'GET',
          `/wpk/0192f6a0-0000-7000-8000-000000000001${path}`,
          { as: market.tokens.acme },
        )
        expect(there.status).to.equal(404)
        expect({ ...there.body, request_id: '', instance: '' }).to.deep.equal({
          ...absent.body,
          request_id: '',
          instance: '',
        })
      })

    it('reads what is published, with its bytes', async () => {
      for (const path of ['', '/content', '/bundle', '/verdict'])
        expect(
          (await market.call('GET', `/wpk/${published.id}${path}`, { as: market.tokens.acme })).status,
          path,
        ).to.equal(200)
    })

    it('lists what is published and its own, the operator everything', async () => {
      const own = await market.upload({ name: 'acme-draft' }, 'acme')
      expect(own.status).to.equal('submitted')
      expect(await names('', market.tokens.acme)).to.deep.equal(['acme-draft', 'public-one'])
      expect(await names('')).to.deep.equal(['hidden-one', 'public-one'])
      expect(await names('', market.tokens.reviewer)).to.deep.equal(['acme-draft', 'hidden-one', 'public-one'])
      expect(await names('', await as('demo', 'reviewer')), 'a role of the operator counts there only').to.deep.equal([
        'hidden-one',
        'public-one',
      ])
    })

    it('neither sees nor revokes keys of another', async () => {
      const keys = async (token: string) =>
        (await market.call<KeyList>('GET', '/orgs/keys', { as: token })).body.keys.map(({ key_id }) => key_id)
      expect(await keys(market.tokens.acme)).to.deep.equal([market.keys.acme.keyId])
      const foreign = `/orgs/keys/${encodeURIComponent(market.keys.demo.keyId)}`
      expect((await market.call('DELETE', foreign, { as: market.tokens.acme })).status).to.equal(404)
      const made = await market.call<{ id: string; key: string; prefix: string }>('POST', '/orgs/api-keys', {
        as: market.tokens.demo,
        json: { scopes: ['read'] },
      })
      expect(made.status).to.equal(201)
      expect(
        (await market.call('DELETE', `/orgs/api-keys/${made.body.id}`, { as: market.tokens.acme })).status,
      ).to.equal(404)
      expect((await market.call('GET', '/wpk/list', { as: made.body.key })).status).to.equal(200)
      const listed = await market.call<{ api_keys: { id: string }[] }>('GET', '/orgs/api-keys', {
        as: market.tokens.demo,
      })
      expect(listed.body.api_keys.map(({ id }) => id)).to.include(made.body.id)
      expect(JSON.stringify(listed.body)).to.not.contain(made.body.key)
      expect(
        (await market.call('DELETE', `/orgs/api-keys/${made.body.id}`, { as: market.tokens.demo })).status,
      ).to.equal(204)
      expect((await market.call('GET', '/wpk/list', { as: made.body.key })).status).to.equal(401)
    })

    it('has nothing of another’s to read through the database role either', async () => {
      const app = market.database.as('atom_app')
      const count = (scope?: { org: string; operator: boolean }) =>
        app.transaction(
          async (tx) =>
            Number(
              (
                await tx.raw<{ rows: { n: string }[] }>(
                  "select count(*) as n from marketplace.versions where status <> 'published'",
                )
              ).rows[0]?.n,
            ),
          scope ? { scope } : {},
        )
      expect(await count()).to.equal(0)
      expect(await count({ org: '', operator: false })).to.equal(0)
      expect(await count({ org: 'nobody', operator: false })).to.equal(0)
      expect(await count({ org: 'demo', operator: false })).to.be.greaterThan(0)
    })
  })

  it('needs a credential for every call, and a right one', async () => {
    const calls: [string, string][] = [
      ['GET', '/wpk/list'],
      ['GET', `/wpk/${published.id}`],
      ['GET', `/wpk/${published.id}/content`],
      ['POST', '/wpk/upload'],
      ['GET', '/reviews'],
      ['GET', '/reviews/templates'],
      ['GET', '/reviews/overrides'],
      ['DELETE', `/reviews/overrides/${published.id}`],
      ['GET', `/reviews/${published.id}`],
      ['GET', `/reviews/${published.id}/thread`],
      ['POST', `/reviews/${published.id}/claim`],
      ['POST', `/reviews/${published.id}/heartbeat`],
      ['POST', `/reviews/${published.id}/release`],
      ['POST', `/reviews/${published.id}/hand-over`],
      ['POST', `/wpk/${published.id}/messages`],
      ['GET', '/policies'],
      ['GET', '/policies/1'],
      ['POST', `/wpk/review/${published.id}`],
      ['GET', '/orgs/keys'],
      ['POST', '/orgs/keys'],
      ['DELETE', '/orgs/keys/x'],
      ['GET', '/orgs/api-keys'],
      ['POST', '/orgs/api-keys'],
      ['DELETE', '/orgs/api-keys/x'],
    ]
    for (const [method, path] of calls) {
      expect((await market.call<Problem>(method, path)).body.code, path).to.equal('credential_missing')
      const wrong = await market.call<Problem>(method, path, { as: 'atom_wrong' })
      expect([wrong.status, wrong.body.code], path).to.deep.equal([401, 'credential_invalid'])
    }
    expect((await market.call<Problem>('GET', '/wpk/list', { as: await key('demo', 'publish') })).body.code).to.equal(
      'forbidden',
    )
    expect((await market.call<Problem>('GET', '/orgs/keys', { as: market.tokens.demoTenant })).body.code).to.equal(
      'forbidden',
    )
  })

  describe('lists', () => {
    it('filter by status, publisher, tag and text', async () => {
      expect(await names('?status=published')).to.deep.equal(['public-one'])
      expect(await names('?status=submitted')).to.deep.equal(['hidden-one'])
      expect(await names('?publisher=acme', market.tokens.reviewer)).to.deep.equal(['acme-draft'])
      expect(await names('?tag=nightly')).to.deep.equal(['public-one'])
      expect(await names('?q=BACKS')).to.deep.equal(['public-one'])
      expect(await names('?q=100%25')).to.deep.equal(['public-one'])
      expect(await names('?q=1_0')).to.deep.equal([])
      expect(await names(`?q=${encodeURIComponent("' or 1=1 --")}`)).to.deep.equal([])
    })

    for (const query of [
      'status=unknown',
      'limit=0',
      'cursor=abc',
      'q=%00',
      `tag=${'x'.repeat(201)}`,
      `cursor=${Buffer.from('["x"]').toString('base64url')}`,
    ])
      it(`refuse ${query.slice(0, 30)}`, async () => {
        const { status, body } = await market.call<Problem>('GET', `/wpk/list?${query}`, { as: market.tokens.demo })
        expect([status, body.code]).to.deep.equal([400, 'parameter_invalid'])
      })

    it('page through everything once although packages arrive meanwhile', async () => {
      for (let n = 0; n < 7; n++) await market.upload({ name: `page-${n}` })
      const expected = await names('?limit=500')
      const seen: string[] = []
      let path: string | null = '/wpk/list?limit=2'
      for (let round = 0; path !== null; round++) {
        const { body, headers }: { body: List; headers: Headers } = await market.call<List>('GET', path, {
          as: market.tokens.demo,
        })
        expect(body.count).to.equal(body.wpks.length)
        seen.push(...body.wpks.map(({ name }) => name))
        await market.upload({ name: `meanwhile-${round}` })
        path = /^<(.*)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1] ?? null
        expect(path === null).to.equal(body.next === null)
      }
      expect(seen).to.deep.equal(expected)
    })
  })

  describe('signing keys', () => {
    const register = (pem: string, proof: string) =>
      market.call<Problem & { key_id: string }>('POST', '/orgs/keys', {
        as: market.tokens.demo,
        json: { public_key: pem, proof },
      })

    it('are registered with a proof of possession that names the organisation', async () => {
      const fresh = await market.organisations.signingKey(null)
      const proof = (text: string) => signatureOf(Buffer.from(text), fresh)
      expect((await register(fresh.pem, proof(proofText('acme', fresh.keyId)))).body.code).to.equal('proof_invalid')
      expect((await register(fresh.pem, 'AAAA')).body.code).to.equal('proof_invalid')
      const made = await register(fresh.pem, proof(proofText('demo', fresh.keyId)))
      expect([made.status, made.body.key_id]).to.deep.equal([201, fresh.keyId])
      expect((await register(fresh.pem, proof(proofText('demo', fresh.keyId)))).body.code).to.equal('key_exists')
      await market.upload({ name: 'by-new-key' }, 'demo', fresh)
    })

    it('stay revoked from the first time on', async () => {
      const fresh = await market.organisations.signingKey('demo')
      const revoke = () =>
        market.call('DELETE', `/orgs/keys/${encodeURIComponent(fresh.keyId)}`, { as: market.tokens.demo })
      const revokedAt = async () =>
        (await market.call<KeyList>('GET', '/orgs/keys', { as: market.tokens.demo })).body.keys.find(
          ({ key_id }) => key_id === fresh.keyId,
        )?.revoked_at
      expect((await revoke()).status).to.equal(204)
      const first = await revokedAt()
      market.clock.advance(1_000)
      expect((await revoke()).status).to.equal(204)
      expect(await revokedAt()).to.equal(first)
    })

    it('that cannot be in the database are answered, not failed on', async () => {
      expect((await market.call<Problem>('DELETE', '/orgs/keys/%00', { as: market.tokens.demo })).status).to.equal(400)
      expect((await market.call<Problem>('DELETE', '/orgs/api-keys/%00', { as: market.tokens.demo })).status).to.equal(
        404,
      )
    })
  })
})
