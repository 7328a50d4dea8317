import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto'
import { expect } from 'chai'
import { type OidcOptions, openOidc } from '../../../platform/auth/oidc.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { type IssuerKey, issuerKey, type OidcIssuer, startOidcIssuer } from '../../support/oidc-issuer.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { rejected } from '../../support/rejected.ts'

const START = '2026-11-02T10:00:00Z'
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('platform/auth/oidc', () => {
  const clock = testClock(START)
  const claims = { org: '/atom/org', roles: '/realm_access/roles' }
  const mapped = { atom: { org: 'demo' }, realm_access: { roles: ['partner', 'offline_access', 'admin'] } }
  let database: TestDatabase
  let keys: Record<'one' | 'two' | 'three', IssuerKey>
  let issuer: OidcIssuer
  before(async () => {
    database = await freshDatabase()
    keys = { one: await issuerKey('one'), two: await issuerKey('two'), three: await issuerKey('three') }
  })
  after(() => database.drop())
  beforeEach(async () => {
    clock.set(START)
    issuer = await startOidcIssuer(clock, keys.one)
  })
  afterEach(() => issuer.close())

  const open = (more: Partial<OidcOptions> = {}) =>
    openOidc({
      issuers: [issuer.url],
      audiences: ['atom', 'atom-api'],
      clients: undefined,
      claims,
      operatorOrg: 'atom',
      db: database.as('atom_app'),
      now: clock,
      log: recordingLog().log,
      ...more,
    })
  const refused = async (promise: Promise<unknown>, code = 'credential_invalid') => {
    const error = await rejected(promise)
    expect([error.code, (error as { message: string }).message]).to.include(code)
  }

  describe('a token', () => {
    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA'])
      it(`signed with ${alg} is believed, with the roles that belong to its kind of organisation`, async () => {
        issuer.rotate(await issuerKey('k', alg))
        const principal = { org: 'demo', subject: 'ada', roles: ['partner'], scopes: [], kind: 'token' }
        expect(await open().verify(await issuer.token(mapped))).to.deep.equal(principal)
      })

    it('may be meant for several, be an access token, and say its roles as one text', async () => {
      const { verify } = open({ claims: { org: 'org', roles: 'https://atom.example/roles' } })
      const token = await issuer.token(
        { org: 'atom', 'https://atom.example/roles': 'reviewer finance partner', aud: ['other', 'atom-api'] },
        { typ: 'at+jwt' },
      )
      expect((await verify(token)).roles).to.deep.equal(['reviewer', 'finance'])
    })

    it('may differ from our clock by half a minute and no more', async () => {
      const { verify } = open()
      const now = Math.floor(clock().getTime() / 1000)
      await verify(await issuer.token({ ...mapped, nbf: now + 29, exp: now + 300 }))
      await verify(await issuer.token({ ...mapped, exp: now - 29 }))
      await refused(verify(await issuer.token({ ...mapped, exp: now - 31 })))
      await refused(verify(await issuer.token({ ...mapped, nbf: now + 31 })))
    })

    const wrong: [string, Record<string, unknown>, Record<string, unknown>?][] = [
      ['of another audience', { aud: 'elsewhere' }],
      ['without an audience', { aud: undefined }],
      ['of another issuer', { iss: 'https://evil.test' }],
      ['whose issuer differs by a slash', { iss: 'SLASH' }],
      ['without an issuer', { iss: undefined }],
      ['without a subject', { sub: undefined }],
      ['without an expiry', { exp: undefined }],
      ['of another type', {}, { typ: 'logout+jwt' }],
      ['that proves a key', {}, { typ: 'dpop+jwt' }],
      ['without an organisation', { atom: {} }],
      ['whose organisation is a list', { atom: { org: ['demo'] } }],
      ['whose organisation lies in a text', { atom: 'demo' }],
    ]
    for (const [what, change, header] of wrong)
      it(`${what} is refused`, async () => {
        const iss = change.iss === 'SLASH' ? { iss: `${issuer.url}/` } : {}
        await refused(open().verify(await issuer.token({ ...mapped, ...change, ...iss }, header)))
      })

    it('of a client that is not named is refused where clients are', async () => {
      const { verify } = open({ clients: ['portal', 'cli'] })
      await verify(await issuer.token({ ...mapped, azp: 'portal' }))
      await verify(await issuer.token({ ...mapped, client_id: 'cli' }))
      await refused(verify(await issuer.token({ ...mapped, azp: 'other', client_id: 'cli' })))
      await refused(verify(await issuer.token(mapped)))
    })

    it('without roles is nobody of consequence', async () => {
      expect((await open().verify(await issuer.token({ atom: { org: 'demo' } }))).roles).to.deep.equal([])
      const names = { atom: { org: 'atom' }, realm_access: { roles: ['partner', '__proto__', 7, null] } }
      expect((await open().verify(await issuer.token(names))).roles).to.deep.equal([])
    })
  })

  describe('a forged token', () => {
    const forged = (header: object, secret: string | Buffer | null, change: object = {}) => {
      const exp = Math.floor(clock().getTime() / 1000) + 300
      const text = `${part({ typ: 'JWT', kid: 'one', ...header })}.${part({ iss: issuer.url, aud: 'atom', sub: 'ada', exp, ...mapped, ...change })}`
      const signature = secret === null ? '' : createHmac('sha256', secret).update(text).digest('base64url')
      return `${text}.${signature}`
    }

    it('of algorithm none is refused', async () => {
      for (const alg of ['none', 'None', '']) await refused(open().verify(forged({ alg }, null)))
    })

    it('of HS256 keyed with the public key is refused, also where the issuer publishes a secret', async () => {
      const jwk = keys.one.publicJwk
      const pem = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
      for (const secret of [pem, JSON.stringify(jwk)]) await refused(open().verify(forged({ alg: 'HS256' }, secret)))
      const shared = { ...keys.one, publicJwk: { kty: 'oct', k: part('secret'), kid: 'one', alg: 'HS256' } }
      issuer.rotate(shared)
      await refused(open().verify(forged({ alg: 'HS256' }, Buffer.from(part('secret'), 'base64url'))))
    })

    it('of an algorithm that is not on the list is refused although the key fits', async () => {
      const strong = await issuerKey('strong', 'ES384')
      issuer.rotate(strong)
      await refused(open().verify(await issuer.token(mapped)))
    })

    it('that brings its own key, or one of another kid, is refused', async () => {
      const { verify } = open()
      await refused(verify(await issuer.token(mapped, { kid: 'one' }, keys.two)))
      await refused(verify(await issuer.token(mapped, { kid: 'one', jwk: keys.two.publicJwk }, keys.two)))
      await refused(verify(await issuer.token(mapped, { kid: 'one', jku: 'http://127.0.0.1:1/' }, keys.two)))
      const [header, payload, signature] = (await issuer.token(mapped)).split('.') as [string, string, string]
      const raised = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), atom: { org: 'atom' } }
      await refused(verify(`${header}.${part(raised)}.${signature}`))
      for (const junk of ['', '.', '..', `${header}.${payload}`, 'x'.repeat(8_000)]) await refused(verify(junk))
    })
  })

  describe('keys', () => {
    it('are read with the first token, once for many at once', async () => {
      const { verify } = open()
      const token = await issuer.token(mapped)
      await Promise.all(Array.from({ length: 20 }, () => verify(token)))
      for (let n = 0; n < 20; n++) await verify(token)
      expect(issuer.fetched).to.deep.equal({ discovery: 1, keys: 1 })
    })

    it('that are new are found by their id, and those taken back are refused within ten minutes', async () => {
      const { verify } = open()
      const old = await issuer.token({ ...mapped, exp: 4_102_444_800 })
      await verify(old)
      issuer.rotate(keys.one, keys.two)
      clock.advance(30_000)
      await verify(await issuer.token(mapped))
      expect(issuer.fetched.keys).to.equal(2)
      issuer.rotate(keys.two)
      await verify(old)
      clock.advance(10 * 60_000)
      await eventually('the old key is gone', async () => (await verify(old).catch(() => null)) === null)
    })

    it('that nobody has make one question a cooldown, however many tokens name them', async () => {
      const { verify } = open()
      await verify(await issuer.token(mapped))
      const flood = await Promise.all(Array.from({ length: 100 }, (_, n) => issuer.token(mapped, { kid: `no-${n}` })))
      for (const token of flood.slice(0, 50)) await refused(verify(token))
      await Promise.all(flood.slice(50).map((token) => refused(verify(token))))
      expect(issuer.fetched.keys, 'read a moment ago').to.equal(1)
      clock.advance(30_000)
      await Promise.all(flood.map((token) => refused(verify(token))))
      expect(issuer.fetched.keys).to.equal(2)
      clock.advance(29_000)
      await Promise.all(flood.map((token) => refused(verify(token))))
      expect(issuer.fetched.keys).to.equal(2)
    })

    it('go on while the issuer is away, for as long as it takes, and unknown ones are 401', async () => {
      const { verify, check } = open()
      const token = await issuer.token({ ...mapped, exp: 4_102_444_800 })
      await verify(token)
      issuer.become('down')
      for (let hour = 0; hour < 5; hour++) {
        clock.advance(3_600_000)
        await verify(token)
      }
      await refused(verify(await issuer.token(mapped, {}, keys.two)))
      const before = issuer.fetched.discovery
      for (let n = 0; n < 20; n++) await refused(verify(await issuer.token(mapped, { kid: `x${n}` }, keys.two)))
      expect(issuer.fetched.discovery, 'a failing issuer is not asked for every token').to.equal(before)
      const health = await check.run()
      expect([health.status, health.detail]).to.deep.equal([
        'ok',
        `${issuer.url}: cannot be reached, keys of 2026-11-02T10:00:00Z go on`,
      ])
      issuer.become('up')
      clock.advance(30_000)
      issuer.rotate(keys.one, keys.two)
      await verify(await issuer.token(mapped))
    })

    for (const mode of ['down', 'junk', 'huge', 'redirect', 'other issuer'] as const)
      it(`are waited for, with 503 and a failed check, while the issuer is ${mode}`, async () => {
        issuer.become(mode)
        const { verify, check, warm } = open()
        await warm()
        const token = await issuer.token(mapped)
        const error = await rejected(verify(token))
        expect(error).to.include({ code: 'issuer_unreachable', status: 503 })
        expect(await check.run()).to.include({ status: 'failed', code: 'issuer_unreachable' })
        issuer.become('up')
        clock.advance(5_000)
        await verify(token)
        expect((await check.run()).status).to.equal('ok')
      })

    it('are read from https or this machine only', async () => {
      const answer = (body: object) => new Response(JSON.stringify(body), { status: 200 })
      const asked: string[] = []
      const fetch = (async (url: URL) => {
        asked.push(String(url))
        return answer({ issuer: 'https://people.test', jwks_uri: 'http://people.test/keys' })
      }) as typeof globalThis.fetch
      const { verify, check } = open({ issuers: ['https://people.test'], fetch })
      await refused(verify(await issuer.token({ ...mapped, iss: 'https://people.test' })), 'issuer_unreachable')
      expect((await check.run()).status).to.equal('failed')
      expect(asked).to.deep.equal(['https://people.test/.well-known/openid-configuration'])
    })
  })
})
