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

  /** What the last `invoice.updated` of each month said is due. */
  const told = () =>
    billing.owner<{ period: string; due: string }>(
      `select distinct on (p) p as period, due from (
         select xid, pos, convert_from(value, 'UTF8')::jsonb as v from platform.event_log
         where headers->>'ce_type' = 'invoice.updated') e
       cross join lateral (select v->>'period' as p, v->>'amount_due' as due) d order by p, xid desc, pos desc`,
    )

  it('are told again in one beat when an earlier one, or one that was issued, left other credits', async () => {
    await credits.grant({ amount: '2' })
    await credits.use('1')
    billing.clock.set('2026-11-01T00:30:00Z')
    const time = '2026-11-01T00:10:00Z'
    await billing.report([{ id: 'nov', meter: 'runs', quantity: '3', time, package: 'restart-workers' }])
    await billing.counted()
    await billing.refresh()
    const due = async () => (await told()).map((one) => one.due)
    expect(await due()).to.deep.equal(['0.00', '0.40'])
    await credits.use('1')
    await billing.refresh()
    expect(await due(), 'more in October').to.deep.equal(['0.00', '1.00'])
    const open = () => billing.owner("select 1 from metering.invoices where period = '2026-11' and stale")
    expect(await open()).to.deep.equal([])
    await credits.issueOctober()
    expect(await open(), 'October took credits for good').to.have.lengthOf(1)
    await billing.refresh()
    expect((await due())[1]).to.equal('1.00')
  })

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
    expect(await told()).to.deep.equal([
      { period: '2026-10', due: '0.00' },
      { period: '2026-11', due: '0.40' },
    ])
    await credits.issueOctober()
    expect(await shown(), 'issued').to.deep.equal([october, november])
  })
})
