import { expect } from 'chai'
import fc from 'fast-check'
import { uuidv7 } from 'uuidv7'
import { countReport } from '../../../../consumers/metering/count-report.ts'
import { issueInvoice } from '../../../../consumers/metering/issue.ts'
import { creditInvoice, voidInvoice } from '../../../../consumers/metering/life/acts.ts'
import { loadPeriod } from '../../../../consumers/metering/load-period.ts'
import type { Plan } from '../../../../consumers/metering/rating/plan.ts'
import { rateInvoice } from '../../../../consumers/metering/rating/rate-invoice.ts'
import { decimal, formatDecimal } from '../../../../platform/decimal.ts'
import { periodOf } from '../../../../platform/utc-time.ts'
import { usageReported } from '../../../../schemas/events/usage.reported.ts'
import { holds } from '../../../support/property.ts'
import { type Billing, openBilling } from '../fixture.ts'

/** A volume price, which is taken back whole when it falls, with a least spend and a tax: nothing is a mere sum. */
const plan: Plan = {
  name: 'volume',
  currency: 'USD',
  effective_from: '2026-01-01T00:00:00Z',
  charges: [
    {
      id: 'runs',
      model: 'volume',
      meter: 'runs',
      tiers: [
        { up_to: '15', unit_amount: '0.337' },
        { up_to: null, unit_amount: '0.211' },
      ],
    },
  ],
  minimum_commitment: '2.00',
  taxes: [{ name: 'VAT', percent: '19' }],
}
const MONTHS = ['2026-06', '2026-07', '2026-08', '2026-09', '2026-10']
type Step = { use: [month: number, quantity: number] } | { issue: true } | { void: number; credit: boolean }

describe('consumers/metering/life: void and rebill', function () {
  this.timeout(120_000)
  let billing: Billing
  let tenants = 0
  before(async () => {
    billing = await openBilling('2026-06-02T00:00:00Z')
    await billing.sell('restart-workers', plan, [])
  })
  after(() => billing.close())

  async function newTenant(): Promise<string> {
    tenants += 1
    const tenant = `t${tenants}`
    await billing.owner("insert into platform.orgs values (?, ?, 'member', now())", [tenant, tenant])
    await billing.owner(
      `insert into metering.subscriptions (tenant, id, partner, package, plan_id, currency, starts_at)
       select ?, gen_random_uuid(), 'demo', 'restart-workers', id, 'USD', '2026-01-01' from metering.plans`,
      [tenant],
    )
    return tenant
  }

  async function use(tenant: string, month: string, quantity: number): Promise<void> {
    const record = { id: uuidv7(), meter: 'runs', quantity: String(quantity), time: `${month}-01T10:00:00.000Z` }
    const event = usageReported.create(
      {
        report_id: uuidv7(),
        tenant,
        reporter: tenant,
        received_at: billing.clock().toISOString(),
        root: 'd'.repeat(64),
        records: [{ ...record, package: 'restart-workers' }],
      },
      { source: '//test', now: billing.clock() },
    )
    await billing.deps.allTenants.transaction((tx) => countReport(tx, event, billing.clock()))
  }

  /** The month ends, and whatever is open and over is issued. */
  async function issue(tenant: string): Promise<void> {
    const next = new Date(Date.UTC(billing.clock().getUTCFullYear(), billing.clock().getUTCMonth() + 1, 1, 1))
    billing.clock.set(next.toISOString())
    const open = await billing.owner<{ period: string }>(
      "select period from metering.invoices where tenant = ? and status = 'gathering' and period < ? order by period",
      [tenant, periodOf(next)],
    )
    for (const { period } of open) await issueInvoice(billing.deps, tenant, period)
  }

  async function takeBack(tenant: string, which: number, credit: boolean): Promise<void> {
    const issued = await billing.owner<{ id: string; total: string }>(
      `select i.id, l.total::text from metering.invoices i join metering.invoice_life l on l.invoice_id = i.id
       where i.tenant = ? and l.voided_at is null and l.due_at is not null and l.total <> 0 order by i.period`,
      [tenant],
    )
    const one = issued[which % Math.max(1, issued.length)]
    if (!one) return
    const act = { deps: billing.deps, tenant, id: one.id, by: 'test' }
    if (credit && decimal(one.total) > decimal('0.07'))
      await creditInvoice(act, { amount: decimal('0.07') }, 'part', null)
    await voidInvoice(act, 'wrong', true)
  }

  async function billed(tenant: string): Promise<string> {
    const [sums] = await billing.owner<{ sum: string }>(
      `select coalesce(sum(amount), 0)::text as sum from metering.ledger
       where tenant = ? and account = 'tenant_receivable'`,
      [tenant],
    )
    const [documents] = await billing.owner<{ sum: string }>(
      `select ((select coalesce(sum(total), 0) from metering.invoice_life where tenant = ?)
         - (select coalesce(sum(total), 0) from metering.credit_notes where tenant = ?))::text as sum`,
      [tenant, tenant],
    )
    expect(decimal(sums?.sum ?? ''), 'ledger and documents').to.equal(decimal(documents?.sum ?? ''))
    return formatDecimal(decimal(sums?.sum ?? ''), 2)
  }

  /** Each month that was ever opened, rated from all its usage as if for the first time. */
  const ratedOnce = (tenant: string): Promise<string> =>
    billing.deps.allTenants.transaction(async (tx) => {
      const months = await billing.owner<{ period: string }>(
        "select period from metering.invoices where tenant = ? and status = 'issued'",
        [tenant],
      )
      let total = 0n
      for (const { period } of months) {
        const policy = { tenant, currency: 'USD', shareOf: () => '80', final: true }
        total += decimal(rateInvoice(await loadPeriod(tx, tenant, period), [], policy).total)
      }
      return formatDecimal(total, 2)
    })

  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ use: fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 12 })) }) },
    { weight: 2, arbitrary: fc.constant({ issue: true as const }) },
    { weight: 2, arbitrary: fc.record({ void: fc.nat(5), credit: fc.boolean() }) },
  )

  it('in any order with late usage: invoices less credit notes are every month rated once', async () => {
    let voids = 0
    await holds(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        billing.clock.set('2026-06-02T00:00:00Z')
        const tenant = await newTenant()
        for (const one of steps) {
          const now = periodOf(billing.clock())
          // Nothing is reported of months to come.
          if ('use' in one)
            await use(
              tenant,
              MONTHS.slice(0, MONTHS.indexOf(now) + 1 || 5)[one.use[0] % (MONTHS.indexOf(now) + 1 || 5)] as string,
              one.use[1],
            )
          else if ('issue' in one) await issue(tenant)
          else await takeBack(tenant, one.void, one.credit)
        }
        // Everything that is late by now is billed at the end of the month at hand.
        await issue(tenant)
        const late = await billing.owner('select 1 from metering.late_periods where tenant = ?', [tenant])
        if (late.length > 0) throw new Error('something is still late')
        const [is, once] = [await billed(tenant), await ratedOnce(tenant)]
        if (is !== once) throw new Error(`${is} instead of ${once}`)
        voids += (
          await billing.owner("select 1 from metering.credit_notes where tenant = ? and kind = 'void'", [tenant])
        ).length
      }),
      40,
    )
    expect(voids).to.be.greaterThan(10)
    const [off] = await billing.owner<{ n: number }>(
      'select count(*)::int as n from (select 1 from metering.ledger group by posting_id having sum(amount) <> 0) u',
    )
    expect(off?.n).to.equal(0)
  })

  it('while usage is counted and the next invoice is issued: nothing is billed twice or not at all', async () => {
    for (let round = 0; round < 6; round++) {
      billing.clock.set('2026-06-02T00:00:00Z')
      const tenant = await newTenant()
      await use(tenant, '2026-06', 10)
      await issue(tenant)
      await use(tenant, '2026-07', 3)
      const [june] = await billing.owner<{ id: string }>(
        "select id from metering.invoices where tenant = ? and status = 'issued'",
        [tenant],
      )
      const act = { deps: billing.deps, tenant, id: june?.id ?? '', by: 'test' }
      billing.clock.set('2026-08-01T01:00:00Z')
      await Promise.all([
        use(tenant, '2026-06', 2),
        voidInvoice(act, 'wrong', true),
        issueInvoice(billing.deps, tenant, '2026-07'),
        voidInvoice(act, 'wrong', true),
        use(tenant, '2026-06', 1),
      ])
      await issue(tenant)
      expect(await billed(tenant)).to.equal(await ratedOnce(tenant))
    }
  })
})
