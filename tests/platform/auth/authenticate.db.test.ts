import { expect } from 'chai'
import { principalOfApiKey } from '../../../platform/auth/api-keys.ts'
import type { Authenticate } from '../../../platform/auth/authenticate.ts'
import { createAuthenticate } from '../../../platform/auth/authenticate.ts'
import { isOperator, type Principal, scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows } from '../../../platform/db.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, sha256, type TestDatabase } from '../../support/database.ts'
import { type Organisations, openOrganisations } from '../../support/organisations.ts'
import { rejected } from '../../support/rejected.ts'

describe('platform/auth/authenticate', () => {
  const clock = testClock('2026-11-02T10:00:00Z')
  const visitor: Principal = { org: 'demo', subject: 'visitor', roles: [], scopes: ['read'], kind: 'visitor' }
  let database: TestDatabase
  let organisations: Organisations
  let withVisitor: Authenticate
  before(async () => {
    database = await freshDatabase()
    organisations = await openOrganisations(database, ['demo', 'acme'], clock)
    withVisitor = createAuthenticate({
      db: database.as('atom_app'),
      tokens: {
        verify: async () => Promise.reject(Object.assign(new Error('no'), { code: 'credential_invalid' })),
      },
      visitor,
      now: clock,
    })
  })
  after(async () => {
    await organisations.close()
    await database.drop()
  })
  const codeOf = async (promise: Promise<unknown>) => (await rejected(promise)).code

  it('knows the organisation and scopes of a key, and keeps only its hash', async () => {
    const key = await organisations.apiKey('demo', 'report', 'read')
    const principal = await organisations.authenticate(`Bearer ${key}`)
    expect(principal).to.deep.equal({
      org: 'demo',
      subject: `key:${key.slice(0, 11)}`,
      roles: [],
      scopes: ['report', 'read'],
      kind: 'api-key',
    })
    const [stored] = await database
      .as('postgres')
      .query<{ hash: Buffer; row: string }>('select hash, k::text as row from platform.api_keys k where prefix = ?', [
        key.slice(0, 11),
      ])
    expect(stored?.hash.toString('hex')).to.equal(sha256(key))
    expect(stored?.row).to.not.contain(key)
  })

  it('refuses an unknown key and a revoked one', async () => {
    const key = await organisations.apiKey('demo', 'read')
    expect(await codeOf(organisations.authenticate(`Bearer ${key.slice(0, -1)}!`))).to.equal('credential_invalid')
    await database
      .as('postgres')
      .query('update platform.api_keys set revoked_at = now() where hash = ?', [Buffer.from(sha256(key), 'hex')])
    expect(await codeOf(organisations.authenticate(`Bearer ${key}`))).to.equal('credential_invalid')
  })

  it('lets nobody read keys before a caller is known, but the one presented', async () => {
    const key = await organisations.apiKey('acme', 'read')
    const app = database.as('atom_app')
    expect(await app.query('select 1 from platform.api_keys')).to.deep.equal([])
    expect((await principalOfApiKey(app, key, clock())).org).to.equal('acme')
    expect(await app.query('select 1 from platform.api_keys'), 'the setting ended with its transaction').to.deep.equal(
      [],
    )
    const seen = await app.transaction((tx) => rows(tx, 'select org from platform.api_keys'), {
      scope: { org: 'acme', operator: false },
    })
    expect(new Set(seen.map((row) => (row as { org: string }).org))).to.deep.equal(new Set(['acme']))
    const changed = app.transaction((tx) => execute(tx, "update platform.api_keys set org = 'demo'"), {
      scope: { org: 'acme', operator: false },
    })
    expect(await codeOf(changed)).to.equal('42501')
  })

  it('takes no header for the visitor, where there is one, and nothing else', async () => {
    expect(await withVisitor(undefined)).to.equal(visitor)
    expect(await codeOf(organisations.authenticate(undefined))).to.equal('credential_missing')
    for (const header of [
      '',
      'Bearer',
      'Bearer ',
      'bearer x',
      'Basic eDp5',
      'Bearer a b',
      `Bearer ${'x'.repeat(9_000)}`,
      'Bearer atom_unknown',
      'Bearer x.y.z',
    ])
      expect(await codeOf(withVisitor(header)), header.slice(0, 30)).to.equal('credential_invalid')
  })

  it('tells row security who calls', async () => {
    const reviewer = await organisations.authenticate(`Bearer ${await organisations.token('atom', 'reviewer')}`)
    const pretender = await organisations.authenticate(
      `Bearer ${await organisations.token('demo', 'reviewer', 'tenant')}`,
    )
    expect([isOperator(reviewer), scopeOf(reviewer)]).to.deep.equal([true, { org: 'atom', operator: true }])
    expect([isOperator(pretender), scopeOf(pretender)]).to.deep.equal([false, { org: 'demo', operator: false }])
  })
})
