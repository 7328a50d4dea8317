import { expect } from 'chai'
import { decimal, formatDecimal } from '../../../../platform/decimal.ts'
import { perUnit } from '../fixture.ts'
import { openQuarantine, PACKAGE, type QuarantineWorld } from './fixture.ts'

type Estimate = {
  tenants: { tenant: string; currency: string; net: string; tax: string; total: string; periods: string[] }[]
  next: string | null
  code?: string
}

describe('consumers/metering/quarantine: what a release would bill', function () {
  this.timeout(60_000)
  let world: QuarantineWorld
  let id: string
  beforeEach(async () => {
    world = await openQuarantine('2026-10-10T10:30:00Z')
    const volume = {
      id: 'runs',
      model: 'volume' as const,
      meter: 'runs',
      tiers: [
        { up_to: '10', unit_amount: '1' },
        { up_to: null, unit_amount: '0.60' },
      ],
    }
    const plan = perUnit('1', { charges: [volume], taxes: [{ name: 'VAT', percent: '20' }] })
    await world.billing.sell(PACKAGE, plan, ['acme', 'globex'])
    await world.published('1.0.0')
    await world.published('1.1.0')
    await world.use('1.0.0', '8', '2026-10-10T09:00:00Z', 'acme')
    await world.use('1.1.0', '6', '2026-10-10T09:10:00Z', 'acme')
    await world.use('1.1.0', '3', '2026-10-10T09:10:00Z', 'globex')
    await world.rejected('1.1.0')
    world.billing.clock.set('2026-11-01T01:00:00Z')
    await world.billing.issueDue()
    await world.use('1.1.0', '2', '2026-11-01T00:10:00Z', 'acme')
    id = (await world.list())[0]?.id ?? ''
  })
  afterEach(() => world.billing.close())

  const estimate = (query = '', as = world.reviewer) =>
    world.billing.call<Estimate>('GET', `/billing/quarantines/${id}/estimate${query}`, { as })
  /** Everything that a release would touch. */
  const stored = () =>
    world.billing.owner(
      `select (select jsonb_agg(q order by id) from metering.quarantines q) as quarantines,
         (select jsonb_agg(to_jsonb(i) - 'body' order by tenant, period) from metering.invoices i) as invoices,
         (select jsonb_agg(l order by tenant, period) from metering.late_periods l) as late`,
    )

  it('is what the open invoices have more afterwards, of issued months too, and changes nothing', async () => {
    await world.billing.refresh()
    const before = await stored()
    const { status, body } = await estimate()
    expect(status, JSON.stringify(body)).to.equal(200)
    expect(body).to.deep.include({
      tenants: [
        // 14 at 0.60 instead of 8 at 1, and 2 at 1.
        {
          ...{ tenant: 'acme', currency: 'USD', net: '2.40', tax: '0.48', total: '2.88' },
          periods: ['2026-10', '2026-11'],
        },
        { tenant: 'globex', currency: 'USD', net: '3.00', tax: '0.60', total: '3.60', periods: ['2026-10'] },
      ],
      next: null,
    })
    expect(await stored()).to.deep.equal(before)
    const owed = async (tenant: string) => decimal((await world.billing.invoice(tenant, '2026-11')).total ?? '0')
    const was = { acme: await owed('acme'), globex: await owed('globex') }
    await world.decideOn('1.1.0', 'release')
    for (const { tenant, total } of body.tenants)
      expect(formatDecimal((await owed(tenant)) - was[tenant as 'acme'], 2)).to.equal(total)
    const decided = await estimate()
    expect([decided.status, decided.body.code]).to.deep.equal([409, 'quarantine_decided'])
  })

  it('goes on from page to page, for reviewers and finance alone', async () => {
    const { body } = await estimate('?limit=1', world.billing.tokens.finance)
    expect(body.tenants.map(({ tenant }) => tenant)).to.deep.equal(['acme'])
    const next = await estimate(`?limit=1&cursor=${body.next}`)
    expect(next.body.tenants.map(({ tenant }) => tenant)).to.deep.equal(['globex'])
    expect(next.body.next).to.equal(null)
    for (const as of [world.billing.tokens.demo, world.billing.tokens.acme])
      expect((await estimate('', as)).status).to.equal(403)
    id = '0192f6a0-0000-8000-8000-000000000009'
    expect((await estimate()).status).to.equal(404)
  })
})
