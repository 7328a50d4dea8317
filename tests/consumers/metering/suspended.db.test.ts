import { expect } from 'chai'
import { type Billing, openBilling, type Problem, perUnit } from './fixture.ts'

const run = (id: string, more: object = {}) => ({
  id,
  meter: 'runs',
  quantity: '2',
  time: '2026-11-10T09:00:00Z',
  package: 'restart-workers',
  ...more,
})

describe('consumers/metering: suspended organisations', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling()
    await billing.sell('restart-workers', perUnit('0.50'), ['acme', 'globex'])
    await billing.owner(
      `update platform.orgs set suspended_at = now(), suspended_reason = 'Its contract ended.', suspended_by = 'a@atom'
       where org in ('demo', 'globex')`,
    )
    billing.clock.advance(2_000)
  })
  after(() => billing.close())
  const report = (as: string, records: object[]) =>
    billing.call<Problem & { accepted: number }>('POST', '/usage/report', { as, json: { records } })

  it('earn from what others use of their packages as before, and report nothing themselves', async () => {
    expect((await report(billing.tokens.acme, [run('a')])).body.accepted).to.equal(1)
    const refused = await report(billing.tokens.demo, [run('b', { tenant: 'acme' }), run('c')])
    expect([refused.status, refused.body.code]).to.deep.equal([403, 'org_suspended'])
    expect((await report(billing.tokens.globex, [run('d')])).status).to.equal(403)
    await billing.counted()
    await billing.refresh()
    expect((await billing.invoice('acme')).total).to.equal('1.00')
    expect((await billing.invoice('globex')).total).to.equal('0.00')
  })

  it('read their invoices, and can neither rehearse nor change prices', async () => {
    const period = await billing.call('GET', '/billing/invoice/globex', { as: billing.tokens.globex })
    expect(period.status).to.equal(200)
    for (const path of ['/billing/plans', '/billing/preview'])
      expect((await billing.call<Problem>('POST', path, { as: billing.tokens.demo, json: {} })).body.code).to.equal(
        'org_suspended',
      )
  })

  it('are billed for what their partners report of them', async () => {
    await billing.owner(
      "update platform.orgs set suspended_at = null, suspended_reason = null, suspended_by = null where org = 'demo'",
    )
    billing.clock.advance(2_000)
    expect((await report(billing.tokens.demo, [run('e', { tenant: 'globex' })])).body.accepted).to.equal(1)
    await billing.counted()
    await billing.refresh()
    expect((await billing.invoice('globex')).total).to.equal('1.00')
  })
})
