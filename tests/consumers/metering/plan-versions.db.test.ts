import { expect } from 'chai'
import { type Billing, openBilling, type Problem, perUnit } from './fixture.ts'

describe('consumers/metering: versions of a plan', () => {
  let billing: Billing
  let planId: string
  before(async () => {
    billing = await openBilling('2026-11-10T10:00:00Z')
    planId = await billing.sell('one', perUnit('0.50'))
  })
  after(() => billing.close())
  const change = (json: object, id = planId, as = billing.tokens.demo) =>
    billing.call<Problem & { id: string; first_version: string }>('POST', `/billing/plans/${id}/versions`, { as, json })
  const from = (effective_from: string, more: object = {}) => perUnit('2.00', { effective_from, ...more })

  it('take effect on a coming day, in the currency of the plan, once', async () => {
    const made = await change(from('2026-11-15T00:00:00Z'))
    expect([made.status, made.body.first_version]).to.deep.equal([201, planId])
    const refused = async (json: object, id = planId, as = billing.tokens.demo) =>
      (await change(json, id, as)).body.code
    expect(await refused(from('2026-11-15T00:00:00Z'))).to.equal('plan_version_exists')
    expect(await refused(from('2026-11-10T00:00:00Z'))).to.equal('plan_invalid')
    expect(await refused(from('2026-11-16T12:00:00Z'))).to.equal('plan_invalid')
    expect(await refused(from('2026-11-17T00:00:00Z', { currency: 'EUR' }))).to.equal('currency_mismatch')
    expect(await refused(from('2026-11-17T00:00:00Z'), made.body.id)).to.equal('plan_unknown')
    const other = await billing.organisations.token('globex', 'partner')
    expect(await refused(from('2026-11-17T00:00:00Z'), planId, other)).to.equal('plan_unknown')
    const json = { package: 'one', plan_id: made.body.id }
    const { status } = await billing.call('POST', '/billing/subscriptions', { as: billing.tokens.globex, json })
    expect(status, 'a version is not subscribed to').to.equal(404)
  })

  it('price usage by its time, each on a line of its own', async () => {
    for (const [id, time] of [
      ['before', '2026-11-14T23:59:59Z'],
      ['after', '2026-11-15T00:00:00Z'],
    ] as const) {
      billing.clock.set('2026-11-20T10:00:00Z')
      await billing.report([{ id, meter: 'runs', quantity: '3', time, package: 'one' }])
    }
    await billing.counted()
    const { lines, total } = await billing.invoice('acme', '2026-11')
    expect(lines.map(({ quantity, amount }) => [quantity, amount])).to.deep.equal([
      ['3', '1.50'],
      ['3', '6.00'],
    ])
    expect(total).to.equal('7.50')
  })

  it('bill a fee that only a later version has, in a month without usage', async () => {
    const fee = { id: 'fee', model: 'flat', flat_amount: '7' }
    await change(from('2026-12-01T00:00:00Z', { charges: [...perUnit('2.00').charges, fee] }))
    billing.clock.set('2027-01-01T01:00:00Z')
    await billing.issueDue()
    expect(await billing.invoice('acme', '2026-12')).to.include({ status: 'issued', total: '7.00' })
  })
})
