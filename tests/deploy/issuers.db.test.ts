import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type DemoMode, demoMode } from '../../deploy/demo/demo-mode.ts'
import { openIssuers } from '../../deploy/issuers.ts'
import { ensureOperator } from '../../deploy/operator.ts'
import { settingDefinitions } from '../../deploy/settings.ts'
import { readSettings } from '../../platform/settings.ts'
import { testClock } from '../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { issuerKey, type OidcIssuer, startOidcIssuer } from '../support/oidc-issuer.ts'
import { recordingLog } from '../support/recording-log.ts'
import { rejected } from '../support/rejected.ts'

describe('deploy: issuers and the operator', () => {
  const clock = testClock('2026-11-02T10:00:00Z')
  let database: TestDatabase
  let home: string
  let issuer: OidcIssuer
  before(async () => {
    database = await freshDatabase()
    home = await mkdtemp(join(tmpdir(), 'atom-test-issuers-'))
    issuer = await startOidcIssuer(clock, await issuerKey('one'))
  })
  after(async () => {
    await issuer.close()
    await rm(home, { recursive: true })
    await database.drop()
  })

  const settingsOf = (env: Record<string, string>) => readSettings(settingDefinitions, env)
  const open = (env: Record<string, string>) =>
    openIssuers(settingsOf(env), { home, db: database.as('atom_app'), now: clock, log: recordingLog().log })
  const claims = { ATOM_OIDC_ORG_CLAIM: 'org', ATOM_OIDC_ROLES_CLAIM: 'roles' }

  it('take the tokens of the built-in issuer until an OIDC issuer takes its place', async () => {
    const alone = await open({})
    const mine = (await alone.development?.issue({ sub: 'a', org: 'demo', roles: [], ttlSeconds: 60 })) as string
    expect((await alone.verify(mine)).org).to.equal('demo')
    expect(alone.checks).to.deep.equal([])
    const theirs = await issuer.token({ org: 'demo', roles: ['tenant'] })
    expect((await rejected(alone.verify(theirs))).code).to.equal('credential_invalid')

    const replaced = await open({ ATOM_OIDC_ISSUER: issuer.url, ...claims })
    expect((await replaced.verify(theirs)).roles).to.deep.equal(['tenant'])
    expect((await rejected(replaced.verify(mine))).code).to.equal('credential_invalid')
    expect(replaced.checks.map(({ name }) => name)).to.deep.equal(['issuer'])

    const both = await open({ ATOM_OIDC_ISSUER: issuer.url, ATOM_DEV_ISSUER: 'on', ...claims })
    expect([(await both.verify(theirs)).subject, (await both.verify(mine)).subject]).to.deep.equal(['ada', 'a'])
    const none = await open({ ATOM_DEV_ISSUER: 'off' })
    expect((await rejected(none.verify(mine))).code).to.equal('credential_invalid')
  })

  const unsound: [string, Record<string, string>, string][] = [
    ['an issuer over plain http', { ATOM_OIDC_ISSUER: 'http://people.example' }, 'neither https nor this machine'],
    ['an issuer that is no address', { ATOM_OIDC_ISSUER: 'people' }, 'ATOM_OIDC_ISSUER people'],
    ['an issuer twice', { ATOM_OIDC_ISSUER: 'https://a.example,https://a.example' }, 'twice'],
    ['half of the claims', { ATOM_OIDC_ISSUER: 'https://a.example', ATOM_OIDC_ORG_CLAIM: 'org' }, 'belong together'],
    ['claims of several issuers', { ATOM_OIDC_ISSUER: 'https://a.example,https://b.example', ...claims }, 'single'],
  ]
  for (const [what, env, reason] of unsound)
    it(`refuse ${what}`, async () => {
      expect((await rejected(open(env))).message).to.include(reason)
    })

  it('leave out the demo, whose tokens nobody would accept, and say so where it is insisted on', () => {
    const mode = (env: Record<string, string>): DemoMode => demoMode(settingsOf(env))
    expect(mode({}).organisations).to.equal(true)
    expect(mode({ ATOM_OIDC_ISSUER: issuer.url })).to.deep.equal({ organisations: false, visitor: null })
    expect(mode({ ATOM_OIDC_ISSUER: issuer.url, ATOM_DEV_ISSUER: 'on' }).organisations).to.equal(true)
    expect(() => mode({ ATOM_OIDC_ISSUER: issuer.url, ATOM_DEMO: 'seed' })).to.throw('ATOM_DEV_ISSUER=on')
  })

  it('make the operator and its first admin once, and refuse another operator', async () => {
    const app = database.as('atom_app')
    const env = { ATOM_OPERATOR_ORG: 'initech', ATOM_OIDC_ISSUER: issuer.url, ATOM_OIDC_ADMIN: 'email:ada@example.com' }
    await Promise.all([1, 2, 3].map(() => ensureOperator(app, settingsOf(env), clock)))
    await ensureOperator(app, settingsOf({ ...env, ATOM_OIDC_ADMIN: 'somebody-else' }), clock)
    const owner = database.as('postgres')
    expect(await owner.query("select org, kind from platform.orgs where kind = 'operator'")).to.deep.equal([
      { org: 'initech', kind: 'operator' },
    ])
    const token = await issuer.token({ email: 'Ada@example.com', email_verified: true })
    const { verify } = await open({ ...env, ATOM_OIDC_AUDIENCE: 'atom' })
    expect(await verify(token)).to.deep.include({ org: 'initech', roles: ['admin'] })
    expect(await owner.query('select label from platform.members')).to.deep.equal([{ label: 'email:a…@example.com' }])
    const other = ensureOperator(app, settingsOf({ ATOM_OPERATOR_ORG: 'atom' }), clock)
    expect((await rejected(other)).message).to.include('another operator')
    const unnamed = ensureOperator(app, settingsOf({ ...env, ATOM_OIDC_ADMIN: 'a b' }), clock)
    expect((await rejected(unnamed)).message).to.include('ATOM_OIDC_ADMIN')
  })
})
