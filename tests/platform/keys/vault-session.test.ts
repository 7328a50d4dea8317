import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type KeySettings, type OpenKey, openKey } from '../../../platform/keys/open-key.ts'
import { testClock } from '../../support/clock.ts'
import { eventually } from '../../support/eventually.ts'
import { type FakeVault, openFakeVault } from '../../support/fake-vault.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { codeOf, noVault } from './vault.contract.ts'

const bytes = Buffer.from('what is signed')

describe('platform/keys: the login at the key store', () => {
  let server: FakeVault
  let opened: OpenKey[] = []
  const clock = testClock('2026-11-02T10:00:00Z')
  /** Timers that a test lets ring. */
  let timers: { at: number; work: () => void }[] = []
  const { log, lines } = recordingLog()

  beforeEach(async () => {
    server = await openFakeVault()
    server.state.now = () => clock().getTime()
    timers = []
    lines.length = 0
  })
  afterEach(async () => {
    for (const one of opened) one.close()
    opened = []
    await server.close()
  })

  async function open(change: Partial<KeySettings>, callTimeoutMs = 1_500): Promise<OpenKey> {
    const schedule = (ms: number, work: () => void) => {
      const timer = { at: clock().getTime() + ms, work }
      timers.push(timer)
      return () => {
        timers = timers.filter((one) => one !== timer)
      }
    }
    const settings = { ...noVault, vaultAddr: server.address, ...change }
    const one = await openKey('unused', settings, { now: clock, log, schedule, callTimeoutMs })
    opened.push(one)
    return one
  }
  const asked = (path: string) => server.asked.filter((one) => one.path === path).length
  const logins = () => asked('auth/approle/login')
  const renewals = () => asked('auth/token/renew-self')

  /** Moves the clock to the next timer and lets it ring; returns how many seconds that took. */
  async function ring(): Promise<number> {
    const [next] = timers.splice(0, 1)
    if (!next) throw new Error('no timer is set')
    const seconds = (next.at - clock().getTime()) / 1_000
    clock.set(new Date(next.at).toISOString())
    next.work()
    await eventually('the next timer is set', () => timers.length > 0)
    return seconds
  }
  async function withRole(ttlSeconds: number, maxSeconds: number) {
    const { roleId, secretId } = await server.approle(ttlSeconds, maxSeconds)
    return open({ vaultRoleId: roleId, vaultSecretId: secretId })
  }

  it('is made once for many signatures, renewed at two thirds of its life, and never runs out', async () => {
    const { key } = await withRole(600, 86_400)
    expect(server.asked, 'nobody is asked before there is something to sign').to.deep.equal([])
    await Promise.all(Array.from({ length: 10 }, () => key.sign(bytes)))
    expect([logins(), timers.length]).to.deep.equal([1, 1])
    for (let n = 1; n <= 20; n += 1) {
      expect(await ring()).to.equal(400)
      expect([renewals(), logins()]).to.deep.equal([n, 1])
      expect(await codeOf(key.sign(bytes))).to.equal('ok')
    }
  })

  it('is made anew in time when a role allows no more renewals', async () => {
    const { key } = await withRole(600, 1_000)
    for (let n = 1; n <= 12; n += 1) {
      expect(await codeOf(key.sign(bytes)), `at ${clock().toISOString()}`).to.equal('ok')
      await ring()
    }
    expect(logins()).to.be.within(4, 12)
    expect(server.asked.filter(({ path }) => path.startsWith('transit/sign')).length, 'none was refused').to.equal(12)
  })

  it('is tried again soon when the store is away at the time of a renewal', async () => {
    const { key } = await withRole(600, 86_400)
    await key.sign(bytes)
    await server.seal()
    expect(await ring()).to.equal(400)
    await server.unseal()
    expect(await ring()).to.equal(30)
    expect([renewals(), logins()]).to.deep.equal([2, 1])
    expect(lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).to.deep.equal([
      'the token of the key store was not renewed',
    ])
  })

  it('renews a token it was given, and one without an end not', async () => {
    const { key } = await open({ vaultToken: await server.token(900) })
    await key.sign(bytes)
    expect(await ring()).to.equal(600)
    expect(renewals()).to.equal(1)
    timers = []
    const root = await open({ vaultToken: await server.token(0) })
    await root.key.sign(bytes)
    expect(timers).to.deep.equal([])
  })

  it('is not repeated for every signature when its policy does not fit', async () => {
    const { roleId, secretId } = await server.approle(600, 86_400, 'none')
    const { key } = await open({ vaultRoleId: roleId, vaultSecretId: secretId })
    for (let n = 0; n < 10; n += 1) expect(await codeOf(key.sign(bytes))).to.equal('key_store_denied')
    expect(logins()).to.equal(1)
  })

  it('leaves no timer behind once it is closed, and breaks off what is under way', async () => {
    const one = await withRole(600, 86_400)
    await one.key.sign(bytes)
    server.state.delayMs = 60_000
    const signing = codeOf(one.key.sign(bytes))
    one.close()
    expect([await signing, timers]).to.deep.equal(['key_store_unreachable', []])
  })

  it('names the namespace in every call, and never puts a credential into an address', async () => {
    const { roleId, secretId } = await server.approle()
    const { key } = await open({ vaultRoleId: roleId, vaultSecretId: secretId, vaultNamespace: 'team/market' })
    await key.sign(bytes)
    expect(server.asked.length).to.equal(3)
    for (const { path, headers } of server.asked) {
      expect(headers['x-vault-namespace']).to.equal('team/market')
      expect(path).not.to.contain(secretId)
    }
  })

  it('goes over TLS, and only to a store whose authority is known', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'atom-test-tls-'))
    const [keyFile, ca] = [join(folder, 'key.pem'), join(folder, 'ca.pem')]
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const name = ['-subj', '/CN=vault', '-addext', 'subjectAltName=IP:127.0.0.1']
    execFileSync('openssl', [...made, ...name, '-keyout', keyFile, '-out', ca], { stdio: 'pipe' })
    const secure = await openFakeVault({ tls: { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(ca, 'utf8') } })
    const vault = { vaultAddr: secure.address, vaultToken: await secure.token() }
    expect(await codeOf((await open({ ...vault, vaultCaFile: ca })).key.sign(bytes))).to.equal('ok')
    expect(await codeOf((await open(vault)).key.sign(bytes))).to.equal('key_store_unreachable')
    rmSync(folder, { recursive: true })
    await secure.close()
  })

  describe('a store that does not answer as it should', () => {
    for (const [what, reply] of [
      ['a page instead of an answer', { status: 200, body: ['no object'] }],
      ['an error of a proxy', { status: 502, body: {} }],
      ['too many requests', { status: 429, body: { errors: ['request path is rate limited'] } }],
      ['a redirect', { status: 307, body: {} }],
    ] as const)
      it(`is out of reach: ${what}`, async () => {
        const { key, check } = await open({ vaultToken: await server.token() })
        server.state.answerWith = reply
        expect([await codeOf(key.sign(bytes)), await codeOf(check())]).to.deep.equal(
          Array(2).fill('key_store_unreachable'),
        )
      })

    it('is out of reach when it is slow or gone, and it is said in time', async () => {
      const { key } = await open({ vaultToken: await server.token() }, 100)
      await key.sign(bytes)
      server.state.delayMs = 60_000
      const began = performance.now()
      expect(await codeOf(key.sign(bytes))).to.equal('key_store_unreachable')
      expect(performance.now() - began).to.be.lessThan(1_500)
      await server.close()
      const error = await key.sign(bytes).catch((one: Error) => one)
      expect(error).to.include({ code: 'key_store_unreachable', message: 'the key store does not answer' })
    })

    it('is not believed when its signature does not verify, or it has another kind of key', async () => {
      const { key } = await open({ vaultToken: await server.token() })
      await key.sign(bytes)
      server.state.answerWith = { status: 200, body: { data: { signature: 'vault:v1:MAYCAQECAQE=' } } }
      expect(await codeOf(key.sign(bytes))).to.equal('key_unfit')
      server.state.answerWith = { status: 200, body: { data: { signature: 'no signature' } } }
      expect(await codeOf(key.sign(bytes))).to.equal('key_store_unreachable')
      const other = await open({ vaultToken: await server.token() })
      server.state.answerWith = { status: 200, body: { data: { type: 'aes256-gcm96', keys: { 1: 1795450178 } } } }
      expect(await codeOf(other.key.publicKeys())).to.equal('key_unfit')
    })
  })

  describe('settings that cannot be right are said at the start', () => {
    const refused: [string, Partial<KeySettings>, RegExp][] = [
      ['no credential', {}, /exactly one of/],
      ['two credentials', { vaultToken: 'a', vaultRoleId: 'b' }, /exactly one of/],
      ['a role without its secret', { vaultRoleId: 'a' }, /needs ATOM_VAULT_SECRET_ID/],
      [
        'plain http to another machine',
        { vaultToken: 'a', vaultAddr: 'http://vault.example.com:8200' },
        /must be https/,
      ],
      ['something like this machine', { vaultToken: 'a', vaultAddr: 'http://127.0.0.1.example.com' }, /must be https/],
      ['no address', { vaultToken: 'a', vaultAddr: 'vault' }, /must be an address/],
      ['a password in it', { vaultToken: 'a', vaultAddr: 'https://a:b@vault.example.com' }, /password/],
      ['a CA file that is not there', { vaultToken: 'a', vaultCaFile: '/nowhere/ca.pem' }, /ENOENT/],
    ]
    for (const [what, change, said] of refused)
      it(what, async () => {
        const settings = { ...noVault, vaultAddr: 'https://vault.example.com:8200', ...change }
        expect(await openKey('unused', settings, { now: clock, log }).catch((error: Error) => error.message)).to.match(
          said,
        )
      })

    it('and plain http to this machine is no such', async () => {
      for (const vaultAddr of ['http://127.0.0.1:8200', 'http://localhost:8200/', 'http://[::1]:8200'])
        (await openKey('unused', { ...noVault, vaultAddr, vaultToken: 'a' }, { now: clock, log })).close()
    })
  })
})
