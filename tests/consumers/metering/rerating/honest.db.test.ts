import { expect } from 'chai'
import type { Plan } from '../../../../consumers/metering/rating/plan.ts'
import { perUnit } from '../fixture.ts'
import { openQuarantine, PACKAGE, type QuarantineWorld } from '../quarantine/fixture.ts'
import { type Compared, replay } from './replays.ts'

/** What happens to a month after it was billed, and beside its usage, is no drift. */
describe('consumers/metering: replay of an honest month', function () {
  this.timeout(60_000)
  let world: QuarantineWorld
  beforeEach(async () => {
    world = await openQuarantine('2026-10-05T10:00:00Z')
    await world.published('1.0.0')
    await world.published('1.1.0')
    await world.billing.sell(
      PACKAGE,
      perUnit('0.50', { minimum_commitment: '2', taxes: [{ name: 'VAT', percent: '20' }] }),
    )
    await world.use('1.0.0', '10', '2026-10-05T09:00:00Z')
    await world.use('1.1.0', '6', '2026-10-05T09:00:00Z')
  })
  afterEach(() => world.billing.close())

  const finance = () => world.billing.tokens.finance
  async function issue(at: string): Promise<string> {
    world.billing.clock.set(at)
    await world.billing.issueDue()
    const [last] = await world.billing.owner<{ id: string }>(
      "select id from metering.invoices where status = 'issued' order by period desc limit 1",
    )
    return last?.id ?? ''
  }
  async function act(id: string, what: string, json: object): Promise<void> {
    const { status, body } = await world.billing.call('POST', `/billing/invoices/${id}/${what}`, {
      as: finance(),
      json,
    })
    expect(status, JSON.stringify(body)).to.be.oneOf([200, 201])
  }
  async function grant(amount: string): Promise<void> {
    const json = { tenant: 'acme', amount, kind: 'paid', reference: `order-${amount}` }
    expect((await world.billing.call('POST', '/billing/credits', { as: finance(), json })).status).to.equal(201)
  }
  /** Replays a month, finds no drift, and says what the month comes to and what is said of it. */
  async function honest(period = '2026-10', more: object = {}): Promise<[total: string, ...why: string[]]> {
    const { tenants } = await replay(world.billing, { period, tenant: 'acme', ...more })
    const [acme] = tenants as [Compared]
    const { differing, drift, differing_hours } = acme
    expect({ differing, drift, differing_hours }, `${period} ${JSON.stringify(acme.why)}`).to.deep.equal({
      differing: 0,
      drift: '0.00',
      differing_hours: 0,
    })
    expect(acme.totals.invoice.total).to.equal(acme.totals.log.total)
    return [acme.totals.log.total, ...acme.why.map(({ code }) => code)]
  }

  it('with usage that was quarantined before it was billed, released after that, and billed late', async () => {
    await world.rejected('1.1.0')
    expect(await honest()).to.deep.equal(['6.00'])
    await issue('2026-11-01T01:00:00Z')
    expect(await honest()).to.deep.equal(['6.00'])
    await world.decideOn('1.1.0', 'release')
    expect(await honest()).to.deep.equal(['9.60', 'late_usage_pending'])
    await issue('2026-12-01T01:00:00Z')
    expect(await honest()).to.deep.equal(['9.60'])
  })

  it('with usage that is quarantined after it was billed', async () => {
    await issue('2026-11-01T01:00:00Z')
    world.billing.clock.set('2026-11-03T00:00:00Z')
    await world.rejected('1.1.0')
    expect(await honest()).to.deep.equal(['6.00', 'late_usage_pending'])
    await world.decideOn('1.1.0', 'write_off')
    await issue('2026-12-01T01:00:00Z')
    expect(await honest()).to.deep.equal(['6.00'])
    expect(await honest('2026-10', { as_of: '2026-11-01T02:00:00Z' }), 'as it was issued').to.deep.equal(['9.60'])
  })

  it('as of a time when usage was quarantined that was released later', async () => {
    await world.rejected('1.0.0')
    await world.rejected('1.1.0')
    await issue('2026-11-01T01:00:00Z')
    const then = { as_of: '2026-11-01T02:00:00Z' }
    expect(await honest()).to.deep.equal(['2.40'])
    world.billing.clock.set('2026-11-03T00:00:00Z')
    await world.decideOn('1.0.0', 'release')
    expect(await honest()).to.deep.equal(['6.00', 'late_usage_pending'])
    expect(await honest('2026-10', then)).to.deep.equal(['2.40'])
    await issue('2026-12-01T01:00:00Z')
    world.billing.clock.set('2026-12-03T00:00:00Z')
    await world.decideOn('1.1.0', 'release')
    expect(await honest('2026-10', then)).to.deep.equal(['2.40'])
    expect(await honest('2026-10', { as_of: '2026-12-01T02:00:00Z' })).to.deep.equal(['6.00'])
    expect(await honest()).to.deep.equal(['9.60', 'late_usage_pending'])
  })

  it('as of a time, with a level that is held, values that are counted once and single events', async () => {
    const charges: Plan['charges'] = [
      { id: 'held', model: 'per_unit', meter: 'runs', unit_amount: '1', aggregation: 'weighted_sum' },
      { id: 'values', model: 'per_unit', meter: 'runs', unit_amount: '1', aggregation: 'unique' },
      { id: 'most', model: 'per_unit', meter: 'runs', unit_amount: '1', aggregation: 'max' },
      { id: 'fee', model: 'percentage', meter: 'runs', rate_percent: '1', fixed_amount: '0.10', free_events: 1 },
    ]
    await world.billing.sell(PACKAGE, { name: 'all', currency: 'USD', charges }, ['globex'])
    await world.use('1.0.0', '10', '2026-10-05T09:00:00Z', 'globex')
    await world.use('1.1.0', '6', '2026-10-05T09:00:00Z', 'globex')
    const [before] = await honest('2026-10', { tenant: 'globex' })
    await issue('2026-11-01T01:00:00Z')
    world.billing.clock.set('2026-11-03T00:00:00Z')
    await world.rejected('1.1.0')
    await world.use('1.0.0', '1', '2026-11-02T09:00:00Z', 'globex')
    const [after] = await honest('2026-10', { tenant: 'globex' })
    expect(after).to.not.equal(before)
    await issue('2026-12-01T01:00:00Z')
    expect(await honest('2026-10', { tenant: 'globex', as_of: '2026-11-01T02:00:00Z' })).to.deep.equal([before])
    expect(await honest('2026-10', { tenant: 'globex' })).to.deep.equal([after])
  })

  it('with prepaid credits, a credit note that gives some back, and a void', async () => {
    await grant('5')
    const id = await issue('2026-11-01T01:00:00Z')
    expect(await honest()).to.deep.equal(['9.60'])
    await act(id, 'credit-notes', { reason: 'a', amount: '6' })
    expect(await honest()).to.deep.equal(['9.60'])
    await act(id, 'void', { reason: 'b' })
    expect(await honest(), 'without rebill it stays billed').to.deep.equal(['9.60'])
  })

  it('that is void and billed anew: before, while it waits, once it is billed, and as of then', async () => {
    await grant('5')
    const id = await issue('2026-11-01T01:00:00Z')
    world.billing.clock.set('2026-11-03T00:00:00Z')
    await act(id, 'void', { reason: 'a', rebill: true })
    expect(await honest()).to.deep.equal(['9.60', 'late_usage_pending'])
    await world.use('1.0.0', '2', '2026-11-02T09:00:00Z')
    await issue('2026-12-01T01:00:00Z')
    expect(await honest()).to.deep.equal(['9.60'])
    expect(await honest('2026-11')).to.deep.equal(['2.40'])
    expect(await honest('2026-10', { as_of: '2026-11-02T00:00:00Z' })).to.deep.equal(['9.60'])
  })

  it('that was billed late by an invoice that is void and billed anew', async () => {
    await issue('2026-11-01T01:00:00Z')
    world.billing.clock.set('2026-11-02T10:00:00Z')
    await world.use('1.0.0', '4', '2026-10-20T09:00:00Z')
    await world.use('1.0.0', '2', '2026-11-02T09:00:00Z')
    const november = await issue('2026-12-01T01:00:00Z')
    world.billing.clock.set('2026-12-03T00:00:00Z')
    await act(november, 'void', { reason: 'a', rebill: true })
    expect(await honest()).to.deep.equal(['12.00', 'late_usage_pending'])
    expect(await honest('2026-11')).to.deep.equal(['2.40', 'late_usage_pending'])
    await issue('2027-01-01T01:00:00Z')
    expect(await honest()).to.deep.equal(['12.00'])
    expect(await honest('2026-11')).to.deep.equal(['2.40'])
  })
})
