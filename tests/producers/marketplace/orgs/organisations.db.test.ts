import { expect } from 'chai'
import fc from 'fast-check'
import { createAuthenticate } from '../../../../platform/auth/authenticate.ts'
import { eventually } from '../../../support/eventually.ts'
import { type Marketplace, openMarketplace, type Problem } from '../fixture.ts'

type Org = Problem & { id: string; name: string; kind: string; status: string; currency: string | null }
type Member = Problem & { issuer: string; subject: string; label: string; roles: string[] }
type Key = Problem & {
  id: string
  key: string
  name: string | null
  prefix: string
  status: string
  expires_at: string | null
  last_used_at: string | null
}

describe('producers/marketplace/orgs', () => {
  let market: Marketplace
  let owner: string
  let other: string
  before(async () => {
    market = await openMarketplace()
    owner = await market.organisations.token('demo', 'owner')
    other = await market.organisations.token('acme', 'owner')
  })
  after(() => market.close())
  const sql = <R>(text: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(text, bindings)

  describe('organisations', () => {
    const make = (json: object, as = market.tokens.admin) => market.call<Org>('POST', '/orgs', { as, json })

    it("are made by the operator's admin, once, however often and by how many at once it is asked", async () => {
      const json = { id: 'initech', name: 'Initech', currency: 'EUR' }
      const answers = await Promise.all(Array.from({ length: 5 }, () => make(json)))
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 200, 200, 200, 201])
      expect(answers[0]?.body).to.include({ ...json, kind: 'member', status: 'active' })
      for (const change of [{ name: 'Other' }, { currency: 'USD' }])
        expect((await make({ ...json, ...change })).body.code).to.equal('org_exists')
      expect((await make({ id: 'atom', name: 'atom' })).body.code).to.equal('org_exists')
      expect((await make(json, market.tokens.reviewer)).body.code).to.equal('forbidden')
      expect((await make(json, owner)).body.code).to.equal('forbidden')
      const noted = await sql("select 1 from marketplace.to_record where kind = 'org_created' and org = 'initech'")
      expect(noted.length).to.equal(1)
    })

    it('have an id and a name that can be used', async () => {
      for (const id of ['', 'UPPER', '-a', 'a b', 'x'.repeat(64), 'keys', 'api-keys', 'members'])
        expect((await make({ id, name: 'n' })).body.code, id).to.equal('body_malformed')
      for (const name of ['', ' ', 'a\nb', 'x'.repeat(201)])
        expect((await make({ id: 'fine', name })).body.code, name).to.equal('body_malformed')
      expect((await make({ id: 'fine', name: 'n', currency: 'euro' })).body.errors[0]?.pointer).to.equal('/currency')
    })

    it('are listed page by page: to the operator all, to others their own', async () => {
      for (const id of ['org-a', 'org-b', 'org-c']) await make({ id, name: id })
      const seen: string[] = []
      let path: string | null = '/orgs?limit=2'
      while (path !== null) {
        const { body, headers }: { body: { orgs: Org[] }; headers: Headers } = await market.call('GET', path, {
          as: market.tokens.admin,
        })
        seen.push(...body.orgs.map(({ id }) => id))
        await make({ id: `a-meanwhile-${seen.length}`, name: 'm' })
        path = /^<(.*)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1] ?? null
      }
      expect(seen).to.include.members(['acme', 'atom', 'demo', 'org-a', 'org-b', 'org-c'])
      expect(new Set(seen).size).to.equal(seen.length)
      const own = await market.call<{ orgs: Org[] }>('GET', '/orgs', { as: market.tokens.demo })
      expect(own.body.orgs.map(({ id }) => id)).to.deep.equal(['demo'])
      expect((await market.call('GET', '/orgs/acme', { as: market.tokens.demo })).status).to.equal(404)
    })
  })

  describe('members', () => {
    const path = (name: string, org = 'demo') => `/orgs/${org}/members/${encodeURIComponent(name)}`
    const put = (name: string, roles: string[], as = owner, org = 'demo') =>
      market.call<Member>('PUT', path(name, org), { as, json: { roles } })
    const remove = (name: string, as = owner, org = 'demo') => market.call<Problem>('DELETE', path(name, org), { as })
    const list = async (as = owner, org = 'demo') =>
      (await market.call<{ members: Member[] }>('GET', `/orgs/${org}/members`, { as })).body.members
    afterEach(() => sql('delete from platform.members'))

    it('are named with roles, which may change, by an owner', async () => {
      const first = await put('auth0|ada', ['partner', 'owner'])
      expect([first.status, first.body.issuer]).to.deep.equal([201, 'https://people.test'])
      expect((await put('auth0|ada', ['owner', 'partner'])).status, 'the same again').to.equal(200)
      expect((await put('bob', ['owner'])).status).to.equal(201)
      expect((await put('auth0|ada', ['tenant'])).body.roles).to.deep.equal(['tenant'])
      expect((await list()).map(({ subject }) => subject)).to.deep.equal(['auth0|ada', 'bob'])
      expect((await remove('auth0|ada')).status).to.equal(204)
      expect((await remove('auth0|ada')).status).to.equal(404)
      const noted = await sql<{ kind: string }>(
        "select kind from marketplace.to_record where subject = 'auth0|ada' order by pos",
      )
      expect(noted.map(({ kind }) => kind)).to.deep.equal(['member_set', 'member_set', 'member_removed'])
    })

    it('may be named by an address, of which only a hash and its ends are kept', async () => {
      const { body } = await put('email:Bob.Builder@Example.com', ['owner'])
      expect(body.label).to.equal('email:b…@example.com')
      expect(body.subject).to.match(/^email:[0-9a-f]{64}$/)
      expect((await put('email:bob.builder@example.COM', ['owner', 'tenant'])).status).to.equal(200)
      const kept = await sql(
        `select 1 from platform.members m where m::text ilike '%builder%'
         union all select 1 from marketplace.to_record r where r::text ilike '%builder%'`,
      )
      expect(kept).to.deep.equal([])
      await put('carol', ['owner'])
      expect((await remove(body.subject)).status, 'as the list names it').to.equal(204)
    })

    it('keep somebody who may name members, also when two owners remove each other', async () => {
      await put('ada', ['owner'])
      await put('ada', ['owner', 'tenant'])
      for (const refused of [await remove('ada'), await put('ada', ['tenant'])])
        expect([refused.status, refused.body.code]).to.deep.equal([409, 'last_owner'])
      for (let round = 0; round < 5; round++) {
        await put('bob', ['owner'])
        await put('ada', ['owner'])
        const both = await Promise.all([remove('ada'), remove('bob')])
        expect(both.map(({ status }) => status).sort()).to.deep.equal([204, 409])
        await put('ada', ['owner'])
      }
    })

    it('never leave an organisation without an owner once it has one, whatever is asked in whichever order', async () => {
      const name = fc.constantFrom('ada', 'bob', 'carol')
      const step = fc.oneof(
        fc.record({ name, roles: fc.subarray(['owner', 'partner', 'tenant'], { minLength: 1 }) }),
        fc.record({ name, roles: fc.constant(null) }),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
          await sql('delete from platform.members')
          let owned = false
          for (const { name, roles } of steps) {
            const { status } = roles === null ? await remove(name) : await put(name, roles)
            expect(status).to.be.oneOf([200, 201, 204, 404, 409])
            const owners = (await list()).filter((one) => one.roles.includes('owner')).length
            owned ||= owners > 0
            expect(owners > 0).to.equal(owned)
          }
        }),
        { numRuns: 8 },
      )
    })

    it("have no role of the operator outside it, and the operator's admin names the first of each", async () => {
      const wrong = await put('eve', ['tenant', 'reviewer'])
      expect(wrong.body.errors[0]).to.include({ pointer: '/roles/1', code: 'role_not_here' })
      expect((await put('eve', ['partner'], market.tokens.admin, 'atom')).body.errors[0]?.code).to.equal(
        'role_not_here',
      )
      expect((await put('eve', ['owner'], market.tokens.admin, 'demo')).status).to.equal(201)
      expect((await put('eve', ['admin', 'reviewer'], market.tokens.admin, 'atom')).status).to.equal(201)
      expect((await remove('eve', market.tokens.admin, 'atom')).body.code).to.equal('last_owner')
    })

    it("are an organisation's own", async () => {
      await put('ada', ['owner'])
      expect((await put('eve', ['owner'], other)).status).to.equal(404)
      expect((await remove('ada', other)).status).to.equal(404)
      expect((await market.call('GET', '/orgs/demo/members', { as: other })).status).to.equal(404)
      for (const as of [market.tokens.demo, market.tokens.demoTenant, market.tokens.reviewer])
        expect((await put('eve', ['owner'], as)).body.code).to.equal('forbidden')
      const scope = { org: 'acme', operator: false }
      const taken = market.database
        .as('atom_app')
        .transaction((tx) => tx.raw("update platform.members set roles = '{owner}'"), { scope })
      expect((await taken).rowCount).to.equal(0)
    })

    it('are of a known issuer and have a name', async () => {
      const at = (query: string, name = 'ada') =>
        market.call<Problem>('PUT', `${path(name)}?${query}`, { as: owner, json: { roles: ['owner'] } })
      expect((await at('issuer=https%3A%2F%2Fothers.test')).status).to.equal(201)
      expect((await at('issuer=https%3A%2F%2Fevil.test')).body.code).to.equal('parameter_invalid')
      for (const name of ['a b', 'email:', 'email:nobody', 'x'.repeat(256), 'ü'])
        expect((await at('', name)).body.code, name).to.equal('parameter_invalid')
      for (const roles of [[], ['root'], ['owner', 'owner'], 'owner'])
        expect((await put('ada', roles as string[])).body.code).to.equal('body_malformed')
    })
  })

  describe('API keys', () => {
    const make = (json: object, as = market.tokens.demo) => market.call<Key>('POST', '/orgs/api-keys', { as, json })
    const find = async (id: string) =>
      (await market.call<{ api_keys: Key[] }>('GET', '/orgs/api-keys?limit=500', { as: owner })).body.api_keys.find(
        (key) => key.id === id,
      )

    it('end when they were told to, with a code of its own', async () => {
      const expires_at = new Date(market.clock().getTime() + 60_000).toISOString()
      const { body } = await make({ scopes: ['read'], name: 'nightly', expires_at })
      expect(body).to.include({ name: 'nightly', expires_at })
      expect((await market.call('GET', '/wpk/list', { as: body.key })).status).to.equal(200)
      market.clock.advance(60_000)
      const late = await market.call<Problem>('GET', '/wpk/list', { as: body.key })
      expect([late.status, late.body.code]).to.deep.equal([401, 'credential_expired'])
      expect(late.body.detail).to.not.contain(body.key)
      expect(await find(body.id)).to.include({ status: 'expired' })
      expect((await make({ scopes: ['read'], expires_at })).body.errors[0]).to.include({ pointer: '/expires_at' })
    })

    it('are rotated by making a second and revoking the first', async () => {
      const first = (await make({ scopes: ['report', 'read'], name: 'edge' })).body
      expect((await make({ scopes: ['read'], name: 'edge' })).body.code, 'sent twice').to.equal('api_key_exists')
      const second = (await make({ scopes: ['report', 'read'], name: 'edge-2' })).body
      for (const { key } of [first, second])
        expect((await market.call('GET', '/wpk/list', { as: key })).status).to.equal(200)
      expect((await market.call('DELETE', `/orgs/api-keys/${first.id}`, { as: market.tokens.demo })).status).to.equal(
        204,
      )
      expect((await market.call<Problem>('GET', '/wpk/list', { as: first.key })).body.code).to.equal(
        'credential_invalid',
      )
      expect((await market.call('GET', '/wpk/list', { as: second.key })).status).to.equal(200)
      expect([(await find(first.id))?.status, (await find(second.id))?.status]).to.deep.equal(['revoked', 'active'])
      expect((await make({ scopes: ['read'], name: 'edge' })).status, 'the name is free again').to.equal(201)
    })

    it('say when they were last used, noted once a minute and not for a refused call', async () => {
      const { body } = await make({ scopes: ['read'] })
      expect((await find(body.id))?.last_used_at).to.equal(null)
      const use = () => market.call('GET', '/wpk/list', { as: body.key })
      const noted = (at: Date) =>
        eventually('its use is noted', async () => (await find(body.id))?.last_used_at === at.toISOString())
      const first = market.clock()
      await Promise.all(Array.from({ length: 10 }, use))
      await noted(first)
      const [{ xmin } = { xmin: '' }] = await sql<{ xmin: string }>(
        'select xmin::text from platform.api_keys where id = ?',
        [body.id],
      )
      market.clock.advance(59_000)
      await use()
      market.clock.advance(1_000)
      const again = market.clock()
      expect(
        await sql('select 1 from platform.api_keys where id = ? and xmin::text = ?', [body.id, xmin]),
        'written once in the minute',
      ).to.have.length(1)
      await use()
      await noted(again)
    })

    it('are checked while their use cannot be noted', async () => {
      const key = await market.organisations.apiKey('demo', 'read')
      const app = market.database.as('atom_app')
      let calls = 0
      const authenticate = createAuthenticate({
        db: {
          ...app,
          // The key is looked up first, then its use is noted, then its organisation is asked for.
          transaction: (work, options) => {
            calls += 1
            return calls === 2 ? Promise.reject(new Error('the note is lost')) : app.transaction(work, options)
          },
        },
        tokens: { verify: async () => Promise.reject(new Error('no')) },
        visitor: null,
        now: market.clock,
      })
      expect((await authenticate(`Bearer ${key}`)).org).to.equal('demo')
      expect(calls).to.equal(3)
    })

    it('are listed page by page', async () => {
      for (let n = 0; n < 5; n++) await make({ scopes: ['read'], name: `page-${n}` })
      const seen: string[] = []
      let path: string | null = '/orgs/api-keys?limit=2'
      while (path !== null) {
        const { body, headers }: { body: { api_keys: Key[] }; headers: Headers } = await market.call('GET', path, {
          as: market.tokens.demo,
        })
        seen.push(...body.api_keys.map(({ id }) => id))
        path = /^<(.*)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1] ?? null
      }
      const all = await sql<{ id: string }>("select id from platform.api_keys where org = 'demo' order by id")
      expect(seen).to.deep.equal(all.map(({ id }) => id))
    })
  })
})
