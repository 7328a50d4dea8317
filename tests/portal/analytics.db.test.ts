import { expect } from 'chai'
import { execute } from '../../platform/db.ts'
import { analyticsRoutes } from '../../portal/analytics.ts'
import { testClock } from '../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { type Organisations, openOrganisations } from '../support/organisations.ts'
import { rejected } from '../support/rejected.ts'
import { startService, type TestService } from '../support/service.ts'

type Month = {
  month: string
  gross: string
  partner_share: string
  platform_fee: string
  tax: string
  invoices: number
}
type Revenue = { as_of: string; lag_seconds: number; currency: string; currencies: string[]; months: Month[] }
type Usage = {
  rows: { tenant: string; meter: string; package?: string; period: string; quantity: string; amount?: string }[]
}
type Packages = { packages: { name: string; publisher: string; status: string; risk_score: number | null }[] }

describe('portal/analytics', () => {
  const clock = testClock('2026-11-10T10:00:00Z')
  let database: TestDatabase
  let organisations: Organisations
  let service: TestService
  let tokens: Record<'demo' | 'acme' | 'finance', string>
  before(async () => {
    database = await freshDatabase()
    organisations = await openOrganisations(database, ['demo', 'acme', 'globex'], clock)
    const lag = async () => [
      { topic: 'atom.wpk', partition: 0, records: 0, seconds: 90 },
      { topic: 'atom.billing', partition: 1, records: 2, seconds: 1.26 },
    ]
    service = await startService(
      analyticsRoutes({ db: database.as('atom_portal'), now: clock, lag }),
      organisations.authenticate,
    )
    tokens = {
      demo: await organisations.token('demo', 'partner'),
      acme: await organisations.token('acme', 'tenant'),
      finance: await organisations.token('atom', 'finance'),
    }
    const owner = database.as('postgres')
    const revenue = [
      ['demo', 'acme', '2026-10', 'USD', '10.05'],
      ['demo', 'globex', '2026-10', 'USD', '0.10'],
      ['demo', 'acme', '2026-11', 'USD', '1.00'],
      ['acme', 'globex', '2026-10', 'EUR', '7.00'],
    ]
    for (const row of revenue)
      await owner.query(
        'insert into read.revenue (partner, tenant, period, currency, gross, partner_share, platform_fee, tax, as_of) values (?, ?, ?, ?, ?, 1, 1, 1, now())',
        row,
      )
    await owner.query(
      `insert into read.credits (partner, tenant, credit_note_id, period, currency, gross, partner_share, platform_fee, tax, as_of)
       values ('demo', 'acme', gen_random_uuid(), '2026-10', 'USD', '1.05', 0.5, 0.5, 0.05, now())`,
    )
    const usage = [
      ['acme', '2026-10', 'runs', 'a', '3.000000000001', '1.50'],
      ['acme', '2026-11', 'runs', '', '1', null],
      ['globex', '2026-11', 'runs', 'a', '9', '4.50'],
    ]
    for (const row of usage)
      await owner.query(
        "insert into read.usage (tenant, period, meter, package, quantity, amount, currency, as_of) values (?, ?, ?, ?, ?, ?, 'USD', now())",
        row,
      )
    for (const [org, name, status, visibility = 'public'] of [
      ['demo', 'public', 'published'],
      ['demo', 'draft', 'in_review'],
      ['demo', 'in-house', 'published', 'private'],
      ['acme', 'other', 'submitted'],
    ])
      await owner.query(
        "insert into read.packages (org, id, name, version, status, risk_score, updated_at, visibility) values (?, gen_random_uuid(), ?, '1.0.0', ?, 0.25, now(), ?)",
        [org, name, status, visibility],
      )
  })
  after(async () => {
    await service.close()
    await organisations.close()
    await database.drop()
  })
  const get = async <B>(path: string, as?: string) =>
    (await service.call<B>('GET', path, as === undefined ? {} : { as })).body

  it('adds up revenue by month, oldest first, in exact decimals', async () => {
    const { currency, months, as_of, lag_seconds } = await get<Revenue>('/analytics/revenue', tokens.demo)
    expect([as_of, lag_seconds]).to.deep.equal(['2026-11-10T10:00:00.000Z', 1.3])
    expect(currency).to.equal('USD')
    expect(months).to.deep.equal([
      { month: '2026-10', gross: '9.10', partner_share: '1.5', platform_fee: '1.5', tax: '1.95', invoices: 2 },
      { month: '2026-11', gross: '1.00', partner_share: '1', platform_fee: '1', tax: '1', invoices: 1 },
    ])
  })

  it('never adds two currencies together', async () => {
    const all = await get<Revenue>('/analytics/revenue', tokens.finance)
    expect([all.currency, all.currencies, all.months[0]?.gross]).to.deep.equal(['USD', ['USD', 'EUR'], '9.10'])
    const euro = await get<Revenue>('/analytics/revenue?currency=EUR', tokens.finance)
    expect([euro.currency, euro.months.map(({ gross }) => gross)]).to.deep.equal(['EUR', ['7.00']])
    for (const currency of ['eur', 'EURO', '%00', ''])
      expect(
        (await service.call('GET', `/analytics/revenue?currency=${currency}`, { as: tokens.finance })).status,
        currency,
      ).to.equal(400)
  })

  it('shows a partner what it earns, a tenant what it used, an operator both', async () => {
    expect((await get<Revenue>('/analytics/revenue', tokens.acme)).months.map(({ gross }) => gross)).to.deep.equal([
      '7.00',
    ])
    const rows = async (as: string) => (await get<Usage>('/analytics/usage', as)).rows
    expect(await rows(tokens.acme)).to.deep.equal([
      { tenant: 'acme', meter: 'runs', period: '2026-11', quantity: '1', currency: 'USD' },
      {
        tenant: 'acme',
        meter: 'runs',
        package: 'a',
        period: '2026-10',
        quantity: '3.000000000001',
        amount: '1.50',
        currency: 'USD',
      },
    ])
    expect(await rows(tokens.demo), 'a partner does not see what its tenants used').to.deep.equal([])
    expect((await rows(tokens.finance)).map(({ tenant }) => tenant)).to.deep.equal(['acme', 'globex', 'acme'])
  })

  it('shows published packages to all, others to their owner', async () => {
    const names = async (as: string) =>
      (await get<Packages>('/analytics/packages', as)).packages.map(({ name }) => name).sort()
    expect(await names(tokens.demo)).to.deep.equal(['draft', 'in-house', 'public'])
    expect(await names(tokens.acme)).to.deep.equal(['other', 'public'])
    expect(await names(tokens.finance)).to.deep.equal(['draft', 'in-house', 'other', 'public'])
    expect((await get<Packages>('/analytics/packages', tokens.demo)).packages[0]).to.include({
      publisher: 'demo',
      risk_score: 0.25,
    })
  })

  it('needs a credential', async () => {
    for (const path of ['/analytics/revenue', '/analytics/usage', '/analytics/packages'])
      expect((await service.call('GET', path)).status).to.equal(401)
  })

  describe('the portal’s database role', () => {
    const as = (sql: string) =>
      database.as('atom_portal').transaction((tx) => execute(tx, sql), { scope: { org: 'demo', operator: true } })

    for (const table of ['read.packages', 'read.revenue', 'read.credits', 'read.usage'])
      it(`may read ${table} and nothing else`, async () => {
        await as(`select 1 from ${table}`)
        for (const sql of [
          `delete from ${table}`,
          `update ${table} set as_of = now()`.replace(
            /as_of(?= = now)/,
            table === 'read.packages' ? 'updated_at' : 'as_of',
          ),
          `insert into ${table} select * from ${table}`,
          `truncate ${table}`,
        ])
          expect((await rejected(as(sql))).code, sql).to.equal('42501')
      })

    it('may not read or change anything elsewhere', async () => {
      const tables = await database
        .as('postgres')
        .query<{ name: string }>(
          "select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and n.nspname in ('platform', 'marketplace', 'governance', 'metering')",
        )
      expect(tables.length).to.be.greaterThan(15)
      for (const { name } of tables) {
        expect((await rejected(as(`select 1 from ${name}`))).code, name).to.equal('42501')
        expect((await rejected(as(`delete from ${name}`))).code, name).to.equal('42501')
      }
      expect((await rejected(as('create table read.mine (n int)'))).code).to.equal('42501')
      expect((await rejected(as('set role atom_analytics'))).code).to.equal('42501')
    })
  })
})
