import { createHmac, createPrivateKey, createPublicKey, type JsonWebKey, sign } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { openTokenIssuer, type TokenIssuer } from '../../../platform/auth/tokens.ts'
import { testClock } from '../../support/clock.ts'
import { rejected } from '../../support/rejected.ts'

const clock = testClock('2026-11-02T10:00:00Z')
const seconds = () => Math.floor(clock().getTime() / 1000)
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('platform/auth/tokens', () => {
  let folder: string
  let keyFile: string
  let issuer: TokenIssuer
  let keys: { publicJwk: JsonWebKey; privateJwk: JsonWebKey }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atom-test-tokens-'))
    keyFile = join(folder, 'dev', 'issuer.json')
    issuer = await open(keyFile)
    keys = JSON.parse(await readFile(keyFile, 'utf8')) as typeof keys
  })
  after(() => rm(folder, { recursive: true }))
  afterEach(() => clock.set('2026-11-02T10:00:00Z'))

  const open = (file: string) =>
    openTokenIssuer({ keyFile: file, issuer: 'atom-test', operatorOrg: 'atom', now: clock })
  const claims = { sub: 'someone', org: 'demo', roles: ['partner'] }

  /** A token like ours, signed with our own key, with what is given in place of what is right. */
  function signed(change: { header?: object; payload?: object; without?: string[]; key?: JsonWebKey } = {}): string {
    const payload: Record<string, unknown> = {
      iss: 'atom-test',
      aud: 'atom',
      iat: seconds(),
      exp: seconds() + 60,
      ...claims,
      ...change.payload,
    }
    for (const name of change.without ?? []) delete payload[name]
    const text = `${part({ alg: 'ES256', typ: 'JWT', ...change.header })}.${part(payload)}`
    const key = createPrivateKey({ key: change.key ?? keys.privateJwk, format: 'jwk' })
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const refused = async (token: string) =>
    expect(await rejected(issuer.verify(token))).to.include({ code: 'credential_invalid', status: 401 })

  it('verifies what it issued, also after a restart', async () => {
    const token = await issuer.issue({ sub: 'ada', org: 'demo', roles: ['partner', 'tenant'], ttlSeconds: 60 })
    const principal = { org: 'demo', subject: 'ada', roles: ['partner', 'tenant'], scopes: [], kind: 'token' }
    expect(await issuer.verify(token)).to.deep.equal(principal)
    expect(await (await open(keyFile)).verify(token)).to.deep.equal(principal)
    expect(await issuer.verify(signed())).to.include({ org: 'demo' })
  })

  it('keeps its key readable by nobody else', async () => {
    expect((await stat(keyFile)).mode & 0o777).to.equal(0o600)
  })

  it('refuses algorithm none', async () => {
    const payload = { iss: 'atom-test', aud: 'atom', exp: seconds() + 60, ...claims }
    await refused(`${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.`)
    const [, , signature] = signed().split('.')
    await refused(`${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.${signature}`)
  })

  it('refuses HS256 keyed with the public key', async () => {
    const pem = createPublicKey({ key: keys.publicJwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
    for (const secret of [pem, JSON.stringify(keys.publicJwk)]) {
      const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: 'atom-test', aud: 'atom', exp: seconds() + 60, ...claims })}`
      await refused(`${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`)
    }
  })

  it('refuses a key that the token itself brings', async () => {
    const other = await otherKeys()
    await refused(signed({ key: other.privateJwk, header: { jwk: other.publicJwk } }))
    await refused(signed({ key: other.privateJwk, header: { kid: keys.publicJwk.kid } }))
    await refused(signed({ key: other.privateJwk, header: { jku: 'http://127.0.0.1:1/keys' } }))
  })

  const wrong: [string, Parameters<typeof signed>[0]][] = [
    ['another audience', { payload: { aud: 'elsewhere' } }],
    ['another issuer', { payload: { iss: 'atom-dev' } }],
    ['another type', { header: { typ: 'at+jwt' } }],
    ['no type', { header: { typ: undefined } }],
    ['no expiry', { without: ['exp'] }],
    ['no subject', { without: ['sub'] }],
    ['no organisation', { without: ['org'] }],
    ['no roles', { without: ['roles'] }],
    ['no audience', { without: ['aud'] }],
    ['an empty organisation', { payload: { org: '' } }],
    ['an organisation that is no text', { payload: { org: ['demo'] } }],
    ['roles that are no list', { payload: { roles: 'admin' } }],
    ['a time before which it is not valid', { payload: { nbf: 4_102_444_800 } }],
    ['a critical header it does not know', { header: { crit: ['exp'], exp: 1 } }],
  ]
  for (const [what, change] of wrong)
    it(`refuses ${what}`, async () => {
      await refused(signed(change))
    })

  it('refuses it once the clock has passed its expiry', async () => {
    const token = await issuer.issue({ sub: 'ada', org: 'demo', roles: [], ttlSeconds: 60 })
    clock.advance(59_000)
    await issuer.verify(token)
    clock.advance(1_000)
    await refused(token)
  })

  it('refuses changed claims and a changed signature', async () => {
    const [header, payload, signature] = signed().split('.') as [string, string, string]
    const raised = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), org: 'atom', roles: ['admin'] }
    await refused(`${header}.${part(raised)}.${signature}`)
    await refused(`${header}.${payload}.${Buffer.from(signature, 'base64url').reverse().toString('base64url')}`)
    for (const junk of ['', '.', '..', `${header}.${payload}`, `${header}.${payload}.${signature}.x`, 'x'.repeat(4096)])
      await refused(junk)
  })

  it('refuses the key of another installation', async () => {
    const other = await open(join(folder, 'other.json'))
    await refused(await other.issue({ sub: 'ada', org: 'demo', roles: [], ttlSeconds: 60 }))
  })

  it('drops roles that do not belong to the kind of organisation', async () => {
    const rolesIn = async (org: string, roles: unknown[]) =>
      (await issuer.verify(signed({ payload: { org, roles } }))).roles
    expect(await rolesIn('demo', ['admin', 'reviewer', 'finance', 'data', 'partner'])).to.deep.equal(['partner'])
    expect(await rolesIn('atom', ['partner', 'tenant', 'reviewer'])).to.deep.equal(['reviewer'])
    expect(await rolesIn('demo', ['root', 7, null, { role: 'tenant' }])).to.deep.equal([])
  })

  async function otherKeys(): Promise<{ publicJwk: JsonWebKey; privateJwk: JsonWebKey }> {
    const file = join(folder, 'foreign.json')
    await open(file)
    return JSON.parse(await readFile(file, 'utf8')) as { publicJwk: JsonWebKey; privateJwk: JsonWebKey }
  }
})
