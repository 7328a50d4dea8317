import { type ChildProcess, spawn } from 'node:child_process'
import { expect } from 'chai'
import { checkout, eventually, freshHome, type Home, portSettings, request } from '../../reports/running-system.ts'
import { issuerKey, type OidcIssuer, startOidcIssuer } from '../support/oidc-issuer.ts'

type Body = { code: string; roles: string[]; key: string; checks: { name: string; status: string; detail: string }[] }

describe('an installation whose people sign in through an OIDC issuer', function () {
  this.timeout(120_000)
  let issuer: OidcIssuer
  let home: Home
  let child: ChildProcess
  let said = ''
  before(async () => {
    issuer = await startOidcIssuer(() => new Date(), await issuerKey('one', 'RS256'))
    home = await freshHome()
    const env = {
      ...process.env,
      ...portSettings(home),
      ATOM_HOME: home.folder,
      ATOM_OIDC_ISSUER: issuer.url,
      ATOM_OIDC_AUDIENCE: 'atom-api',
      ATOM_OIDC_ADMIN: 'email:root@example.com',
      ATOM_OPERATOR_ORG: 'initech',
    }
    child = spawn(process.execPath, ['--import', 'tsx', 'main.ts', 'marketplace', 'billing'], { cwd: checkout, env })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += chunk))
    const healthy = (name: 'marketplace' | 'billing') =>
      request('GET', `${home.urls[name]}/health`).then(
        ({ status }) => status,
        () => 0,
      )
    for (const name of ['marketplace', 'billing'] as const)
      await eventually(
        () => healthy(name),
        (status) => status === 200 || child.exitCode !== null,
        90_000,
      )
    expect(child.exitCode, said).to.equal(null)
  })
  after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
    await home.remove()
    await issuer.close()
  })
  const token = (sub: string, more: object = {}) => issuer.token({ sub, aud: 'atom-api', ...more })
  const ask = async (method: string, path: string, by: string, body?: object) => {
    const service = path.startsWith('/usage') ? home.urls.billing : home.urls.marketplace
    const answer = await request(method, service + path, { token: by, ...(body ? { body } : {}) })
    return { status: answer.status, body: answer.body as Body }
  }

  it('makes organisations and members, and follows a suspension within 5 s', async () => {
    const root = await token('r00t', { email: 'root@example.com', email_verified: true })
    const ada = await token('ada')
    const answers = [
      await ask('POST', '/orgs', root, { id: 'globex', name: 'Globex', currency: 'EUR' }),
      await ask('PUT', '/orgs/globex/members/ada', root, { roles: ['owner', 'partner', 'tenant'] }),
      await ask('PUT', '/orgs/globex/members/bob', ada, { roles: ['tenant'] }),
      await ask('GET', '/orgs/globex', await token('bob')),
    ]
    expect(answers.map(({ status }) => status)).to.deep.equal([201, 201, 201, 200])
    expect((await ask('GET', '/orgs/globex', await token('eve'))).body.code).to.equal('not_a_member')
    const { key } = (await ask('POST', '/orgs/api-keys', ada, { scopes: ['report', 'read'], name: 'edge' })).body
    let n = 0
    const report = () => {
      n += 1
      return ask('POST', '/usage/report', key, {
        id: `r${n}`,
        meter: 'runs',
        quantity: '1',
        time: new Date().toISOString(),
      })
    }
    expect((await report()).status).to.equal(202)
    expect((await ask('POST', '/orgs/globex/suspend', root, { reason: 'Its contract ended.' })).status).to.equal(200)
    await eventually(report, ({ status, body }) => status === 403 && body.code === 'org_suspended', 5_000)
    expect((await ask('GET', '/orgs/globex', ada)).status).to.equal(200)
    expect((await ask('POST', '/orgs/globex/reactivate', root, { reason: 'Renewed.' })).status).to.equal(200)
    await eventually(report, ({ status }) => status === 202, 5_000)
  })

  it('has no demo, no visitor and no built-in issuer, and says how its issuer is', async () => {
    expect((await request('GET', `${home.urls.marketplace}/wpk/list`)).status).to.equal(401)
    expect((await ask('GET', '/wpk/list', await token('ada', { iss: 'atom-dev' }))).status).to.equal(401)
    const health = (await request('GET', `${home.urls.marketplace}/health`)).body as Body
    const check = health.checks.find(({ name }) => name === 'issuer')
    expect(check?.status).to.equal('ok')
    expect(check?.detail).to.match(/\/realm: keys of \d{4}-/)
  })
})
