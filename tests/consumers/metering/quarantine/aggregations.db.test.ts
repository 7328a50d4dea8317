import { expect } from 'chai'
import type { Charge, Plan } from '../../../../consumers/metering/rating/plan.ts'
import type { Record_ } from '../fixture.ts'
import { openQuarantine, PACKAGE, type QuarantineWorld } from './fixture.ts'

const charge = (meter: string, more: object): Charge =>
  ({ id: meter, model: 'per_unit', meter, unit_amount: '1', ...more }) as Charge
const plan: Plan = {
  name: 'all kinds',
  currency: 'USD',
  effective_from: '2026-01-01T00:00:00Z',
  charges: [
    charge('most', { aggregation: 'max' }),
    charge('last', { aggregation: 'latest' }),
    charge('number', { aggregation: 'count' }),
    charge('people', { aggregation: 'unique', unique_by: 'person' }),
    charge('seats', { aggregation: 'weighted_sum' }),
    { id: 'share', model: 'percentage', meter: 'share', rate_percent: '10', fixed_amount: '1', free_events: 1 },
  ],
}

describe('consumers/metering/quarantine: what each aggregation bills', () => {
  let world: QuarantineWorld
  beforeEach(async () => {
    world = await openQuarantine('2026-11-16T00:30:00Z')
    await world.billing.sell(PACKAGE, plan, ['acme'])
    await world.published('1.0.0')
    await world.published('1.1.0')
  })
  afterEach(() => world.billing.close())

  let ids = 0
  async function use(meter: string, quantity: string, time: string, more: object = {}) {
    ids += 1
    const record = { id: `r-${ids}`, meter, quantity, time, package: `${PACKAGE}@1.0.0`, ...more }
    await world.billing.report([record as Record_])
    await world.billing.counted()
  }
  /** Amounts by meter; nothing where none. */
  const amounts = async (period = '2026-11') => {
    const { lines } = await world.billing.invoice('acme', period)
    return Object.fromEntries(lines.map(({ meter, amount }) => [meter, amount]))
  }

  it('leaves out what was used from then on, and bills it once it is released', async () => {
    for (const [time, quantity, person] of [
      ['2026-11-15T10:00:00Z', '3', 'ann'],
      ['2026-11-16T00:10:00Z', '7', 'ben'],
    ] as const) {
      for (const meter of ['most', 'last', 'number', 'people'])
        await use(meter, quantity, time, { dimensions: { person } })
      await use('share', '100', time)
    }
    await use('share', '50', '2026-11-15T11:00:00Z')
    await use('number', '1', '2026-11-16T00:20:00Z', { package: `${PACKAGE}@1.1.0` })
    await world.yanked('1.0.0')
    expect(await amounts()).to.include({ most: '3.00', last: '3.00', number: '2.00', people: '1.00', share: '6.00' })
    await world.decideOn('1.0.0', 'release')
    expect(await amounts()).to.include({ most: '7.00', last: '7.00', number: '3.00', people: '2.00', share: '17.00' })
  })

  it('bills a level that is held until then, and none after', async () => {
    await use('seats', '10', '2026-11-01T00:00:00Z')
    expect((await amounts()).seats).to.equal('10.00')
    await world.yanked('1.0.0')
    expect((await amounts()).seats).to.equal('5.00')
    world.billing.clock.set('2026-12-05T00:00:00Z')
    await use('seats', '10', '2026-11-26T00:00:00Z', { operation: 'remove' })
    await use('seats', '4', '2026-11-26T00:00:00Z', { package: `${PACKAGE}@1.1.0` })
    expect((await amounts()).seats).to.equal('5.67')
    expect((await amounts('2026-12')).seats).to.equal('4.00')
    await world.decideOn('1.0.0', 'release')
    expect((await amounts()).seats).to.equal('9.00')
    expect((await amounts('2026-12')).seats).to.equal('4.00')
  })

  it('takes a level back from every issued month it was held in', async () => {
    await use('seats', '10', '2026-11-01T00:00:00Z')
    const { clock, issueDue } = world.billing
    for (const time of ['2026-12-01T01:00:00Z', '2027-01-01T01:00:00Z']) {
      clock.set(time)
      await use('number', '1', time, { package: `${PACKAGE}@1.1.0` })
      await issueDue()
    }
    expect([(await amounts('2026-11')).seats, (await amounts('2026-12')).seats]).to.deep.equal(['10.00', '10.00'])
    await world.rejected('1.0.0')
    const { lines } = await world.billing.invoice('acme', '2027-01')
    expect(
      lines.filter(({ kind }) => kind === 'adjustment').map(({ period, amount }) => [period, amount]),
    ).to.deep.equal([
      ['2026-11', '-10.00'],
      ['2026-12', '-10.00'],
    ])
  })

  it('bills what is held when usage without a version is billed again', async () => {
    const bare = { package: PACKAGE }
    await use('seats', '10', '2026-11-01T00:00:00Z', bare)
    await world.yanked('1.1.0')
    await world.yanked('1.0.0')
    world.billing.clock.set('2026-11-22T00:00:00Z')
    await use('seats', '5', '2026-11-19T00:00:00Z', bare)
    expect((await amounts()).seats).to.equal('5.00')
    await world.published('1.2.0')
    // 10 for 15 days, nothing for 6, 15 for 9.
    expect((await amounts()).seats).to.equal('9.50')
  })
})
