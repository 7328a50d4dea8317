import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { markPeriods } from '../../../consumers/metering/count-report.ts'
import { markWalletChanged } from '../../../consumers/metering/credits/wallet.ts'
import { issuePeriod } from '../../../consumers/metering/issue.ts'
import { markStale } from '../../../consumers/metering/open-invoices.ts'
import { type Billing, openBilling, perUnit } from './fixture.ts'

const CALLERS = 6
const ROUNDS = 3

describe('consumers/metering: open invoices', function () {
  this.timeout(60_000)
  let billing: Billing
  before(async () => {
    billing = await openBilling('2026-11-10T10:00:00Z')
    await billing.sell('runner', perUnit('0.50'))
    // A row is in one index before it is in the next. An index between the two that forbid an invoice twice, slow to be
    // written, holds open the moment in which a row is in the first of them only.
    await billing.owner(`create function metering.slowly(text) returns text immutable language plpgsql as
      $$ begin perform pg_sleep(0.05); return $1; end $$`)
    await billing.owner('alter table metering.invoices drop constraint invoices_tenant_period_key')
    await billing.owner('create index slow on metering.invoices (metering.slowly(period))')
    await billing.owner('alter table metering.invoices add unique (tenant, period)')
  })
  after(() => billing.close())

  const mark = (periods: string[]) => billing.deps.allTenants.transaction((tx) => markStale(tx, 'acme', periods))

  it('are made once by several at the same time, of whom nobody fails', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await billing.owner("delete from metering.invoices where status = 'gathering'")
      const months = ['2026-09', '2026-10', '2026-11']
      const wanted = Array.from({ length: CALLERS }, (_, n) => months.slice(n % 3))
      expect(await Promise.all(wanted.map(mark)), `round ${round}`).to.deep.equal(wanted)
      const made = await billing.owner(
        "select period, stale from metering.invoices where tenant = 'acme' order by period",
      )
      expect(made).to.deep.equal(months.map((period) => ({ period, stale: true })))
    }
  })

  it('are told from issued ones, also beside a month that is still to be made', async () => {
    await billing.owner('delete from metering.invoices')
    const records = [{ id: 'a', meter: 'runs', quantity: '3', time: '2026-10-05T10:00:00Z', package: 'runner' }]
    await billing.report(records)
    await billing.counted()
    await issuePeriod(billing.deps, '2026-10')
    expect(await mark(['2026-10'])).to.deep.equal([])
    expect(await mark(['2026-09', '2026-10', '2026-11'])).to.deep.equal(['2026-09', '2026-11'])
    expect(await mark(['2026-09', '2026-10', '2026-11'])).to.deep.equal(['2026-09', '2026-11'])
  })

  it('are held in one order by late usage and by a wallet that changes, so that neither waits in a circle', async () => {
    // October is issued.
    await mark(['2026-11', '2026-12', '2027-01'])
    const { allTenants } = billing.deps
    const blocked = async () => (await billing.owner('select 1 from pg_locks where not granted')).length > 0
    const late = await allTenants.transaction(async (wallet) => {
      await wallet.raw("select 1 from metering.invoices where tenant = 'acme' and period = '2026-11' for update")
      const counting = allTenants.transaction((tx) =>
        markPeriods(tx, 'acme', ['2026-10'], new Date('2027-01-05T00:00:00Z')),
      )
      while (!(await blocked())) await setImmediate()
      await markWalletChanged(wallet, 'acme')
      return { counting }
    })
    expect([...(await late.counting)]).to.deep.equal(['2026-10'])
  })
})
