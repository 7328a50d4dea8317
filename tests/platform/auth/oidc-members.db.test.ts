import { expect } from 'chai'
import { createAuthenticate } from '../../../platform/auth/authenticate.ts'
import { memberName } from '../../../platform/auth/members.ts'
import { openOidc } from '../../../platform/auth/oidc.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { issuerKey, type OidcIssuer, startOidcIssuer } from '../../support/oidc-issuer.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { rejected } from '../../support/rejected.ts'

const START = '2026-11-02T10:00:00Z'

describe('platform/auth/oidc: members', () => {
  const clock = testClock(START)
  let database: TestDatabase
  let issuer: OidcIssuer
  before(async () => {
    database = await freshDatabase()
    issuer = await startOidcIssuer(clock, await issuerKey('one'))
  })
  after(async () => {
    await issuer.close()
    await database.drop()
  })
  beforeEach(() => clock.set(START))

  const openMembers = (issuers = [issuer.url]) =>
    openOidc({
      issuers,
      audiences: ['atom'],
      clients: undefined,
      claims: null,
      operatorOrg: 'atom',
      db: database.as('atom_app'),
      now: clock,
      log: recordingLog().log,
    })
  const refused = async (promise: Promise<unknown>, code: string) =>
    expect((await rejected(promise)).code).to.equal(code)

  const owner = <R>(sql: string, bindings: unknown[] = []) => database.as('postgres').query<R>(sql, bindings)
  const member = async (org: string, name: string, roles: string[], at = START) => {
    await owner(
      `insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, ?, now()) on conflict do nothing`,
      [org, org, org === 'atom' ? 'operator' : 'member'],
    )
    const { subject, label } = memberName(name) as { subject: string; label: string }
    await owner(
      `insert into platform.members (org, issuer, subject, label, roles, created_at, changed_at, changed_by)
         values (?, ?, ?, ?, ?, ?, ?, 'test')`,
      [org, issuer.url, subject, label, roles, at, at],
    )
  }
  const open = () =>
    createAuthenticate({ db: database.as('atom_app'), tokens: openMembers(), visitor: null, now: clock })
  const as = async (claims: object) => `Bearer ${await issuer.token(claims as Record<string, unknown>)}`

  it('have the organisation and roles they were given, whatever the token claims', async () => {
    await member('globex', 'ada', ['partner', 'owner'])
    const authenticate = open()
    const token = await as({ org: 'atom', roles: ['admin'] })
    expect(await authenticate(token)).to.deep.equal({
      org: 'globex',
      subject: 'ada',
      roles: ['owner', 'partner'],
      scopes: [],
      kind: 'token',
    })
    await refused(authenticate(await as({ sub: 'eve' })), 'not_a_member')
  })

  it('are known by an address only where the issuer has verified it', async () => {
    await member('globex', 'email:Bob@Example.com', ['tenant'])
    const authenticate = open()
    const bob = { sub: 'b0b', email: 'bob@example.COM' }
    expect((await authenticate(await as({ ...bob, email_verified: true }))).org).to.equal('globex')
    for (const email_verified of [false, 'true', undefined])
      await refused(authenticate(await as({ ...bob, email_verified })), 'not_a_member')
    const { subject } = memberName('email:bob@example.com') as { subject: string }
    await refused(authenticate(await as({ sub: subject })), 'not_a_member')
    expect(await owner("select 1 from platform.members m where m::text like '%bob@%'")).to.deep.equal([])
  })

  it('of several organisations act in the one joined first, or in the one they name', async () => {
    await member('globex', 'eve', ['tenant'], '2026-10-01T00:00:00Z')
    await member('atom', 'eve', ['reviewer'], '2026-10-02T00:00:00Z')
    const authenticate = open()
    const token = await as({ sub: 'eve' })
    expect((await authenticate(token)).org).to.equal('globex')
    expect(await authenticate(token, 'atom'))
      .to.include({ org: 'atom' })
      .and.deep.include({ roles: ['reviewer'] })
    await refused(authenticate(token, 'demo'), 'not_a_member')
  })

  it('that were removed are nobody within 5 s, and roles of the operator count in its organisation only', async () => {
    await member('globex', 'mallory', ['tenant', 'admin'])
    const authenticate = open()
    expect((await authenticate(await as({ sub: 'mallory' }))).roles).to.deep.equal(['tenant'])
    await owner("delete from platform.members where subject = 'mallory'")
    clock.advance(2_000)
    await refused(authenticate(await as({ sub: 'mallory' })), 'not_a_member')
  })

  it('of another issuer are others, although it names them alike', async () => {
    await member('globex', 'carol', ['tenant'])
    const second = await startOidcIssuer(clock, await issuerKey('three'))
    const { verify } = openMembers([issuer.url, second.url])
    expect((await verify(await issuer.token({ sub: 'carol' }))).subject).to.equal('carol')
    await refused(verify(await second.token({ sub: 'carol' })), 'not_a_member')
    await refused(verify(await second.token({ sub: 'carol', iss: issuer.url })), 'credential_invalid')
    await second.close()
  })
})
