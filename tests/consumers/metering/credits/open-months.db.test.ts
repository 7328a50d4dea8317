import { expect } from 'chai'
import type { Billing } from '../fixture.ts'
import { type Credits, openCredits } from './fixture.ts'

describe('consumers/metering/credits: two open months', function () {
  this.timeout(30_000)
  let credits: Credits
  let billing: Billing
  beforeEach(async () => {
    credits = await openCredits()
    billing = credits.billing
  })
  afterEach(() => credits.close())

  it('pay the earlier first: the later one shows what that would leave', async () => {
    const { id } = await credits.grant({ amount: '2' })
    await credits.grant({ reference: 'scoped', amount: '9', applies_to: ['storage'] })
    await credits.use('3')
    billing.clock.set('2026-11-01T00:30:00Z')
    const time = '2026-11-01T00:10:00Z'
    await billing.report([{ id: 'nov', meter: 'runs', quantity: '1', time, package: 'restart-workers' }])
    await billing.counted()
    const shown = async () =>
      Promise.all(
        ['2026-10', '2026-11'].map(async (period) => {
          const { total, credits: used, amount_due } = await billing.invoice('acme', period)
          return [total, used?.map((one) => [one.id, one.amount]) ?? null, amount_due]
        }),
      )
    const october = ['1.80', [[id, '1.80']], '0.00']
    const november = ['0.60', [[id, '0.20']], '0.40']
    expect(await shown()).to.deep.equal([october, november])
    await billing.refresh()
    const events = await billing.owner<{ period: string; due: string }>(
      `select distinct on (p) p as period, due from (
         select xid, pos, convert_from(value, 'UTF8')::jsonb as v from platform.event_log
         where headers->>'ce_type' = 'invoice.updated') e
       cross join lateral (select v->>'period' as p, v->>'amount_due' as due) d order by p, xid desc, pos desc`,
    )
    expect(events).to.deep.equal([
      { period: '2026-10', due: '0.00' },
      { period: '2026-11', due: '0.40' },
    ])
    await credits.issueOctober()
    expect(await shown(), 'issued').to.deep.equal([october, november])
  })
})
