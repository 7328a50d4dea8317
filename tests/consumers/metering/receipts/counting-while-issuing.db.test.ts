import { expect } from 'chai'
import { countReport } from '../../../../consumers/metering/count-report.ts'
import type { InvoiceLine } from '../../../../consumers/metering/rating/line.ts'
import { billedLeaves } from '../../../../consumers/metering/receipts/billed-usage.ts'
import { decimal } from '../../../../platform/decimal.ts'
import { rootOf } from '../../../../platform/merkle.ts'
import { usageReported } from '../../../../schemas/events/usage.reported.ts'
import { type Billing, openBilling, perUnit } from '../fixture.ts'

type Issued = { number: string; lines: InvoiceLine[] }
const ROUNDS = 8

describe('consumers/metering: reports that are counted while their invoice is issued', function () {
  this.timeout(60_000)
  let billing: Billing
  before(async () => {
    billing = await openBilling('2026-12-01T02:00:00Z')
    const more = { group_by: ['region'], filter: { tier: ['gold', 'silver'] } }
    const charges = [{ id: 'runs', model: 'per_unit' as const, meter: 'runs', unit_amount: '1', ...more }]
    await billing.sell('one', { ...perUnit('1'), charges })
  })
  after(() => billing.close())

  let reported = 0
  async function count(tenant: string): Promise<void> {
    const place = (n: number) => ({ region: n % 2 ? 'eu' : 'us', tier: ['gold', 'silver', 'tin'][n % 3] as string })
    const records = Array.from({ length: 6 }, (_, n) => ({
      id: `${tenant}-${reported}-${n}`,
      meter: 'runs',
      quantity: '1',
      time: `2026-11-0${1 + n}T10:00:00.000Z`,
      dimensions: place(n),
    }))
    const data = {
      report_id: `0192f6a0-0000-7000-8000-${String(reported++).padStart(12, '0')}`,
      tenant,
      reporter: tenant,
      received_at: '2026-12-01T02:00:00.000Z',
      root: 'd'.repeat(64),
      records,
    }
    const event = usageReported.create(data, { source: '//test', now: billing.clock() })
    await billing.deps.allTenants.transaction((tx) => countReport(tx, event, billing.clock()))
  }
  const issued = async (tenant: string, period: string) => (await billing.invoice(tenant, period)) as unknown as Issued
  /** What the root of a line is over, by its number and by what is known today. */
  async function holds(tenant: string, { number, lines }: Issued): Promise<number> {
    let leaves = 0
    for (const line of lines.filter(({ usage_root }) => usage_root !== undefined)) {
      const packages = line.usage_packages ?? []
      const [found = []] = await billing.deps.allTenants.transaction((tx) =>
        billedLeaves(tx, [{ tenant, line, packages, leftOut: [], before: number }]),
      )
      expect(rootOf(found).toString('hex'), `${number} ${line.description}`).to.equal(line.usage_root)
      expect(found.length).to.equal(line.usage_reports)
      leaves += found.length
    }
    return leaves
  }

  it('are under its root or after it, and never neither or both', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const tenant = `t-${round}`
      await billing.owner('insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, ?, now())', [
        tenant,
        tenant,
        'member',
      ])
      await billing.owner(
        "insert into metering.subscriptions select ?, id, partner, package, plan_id, currency, starts_at, ends_at from metering.subscriptions where tenant = 'acme'",
        [tenant],
      )
      await count(tenant)
      await Promise.all([count(tenant), billing.issue('2026-11'), count(tenant), count(tenant)])
      const first = await issued(tenant, '2026-11')
      await holds(tenant, first)
      const known = first.lines.reduce((sum, { quantity }) => sum + decimal(quantity ?? '0'), 0n)
      const [before] = await billing.owner<{ n: string }>(
        `select sum(records)::text as n from metering.contributions
         where tenant = ? and after_invoice is null and dimensions->>'tier' <> 'tin'`,
        [tenant],
      )
      expect(decimal(before?.n ?? '0'), tenant).to.equal(known)
    }
    billing.clock.set('2027-01-01T02:00:00Z')
    await billing.issue('2026-12')
    for (let round = 0; round < ROUNDS; round++) {
      const tenant = `t-${round}`
      await holds(tenant, await issued(tenant, '2026-11'))
      const next = await issued(tenant, '2026-12')
      // Without anything late there is no invoice of December.
      const adjusted = ((next.lines as InvoiceLine[] | undefined) ?? []).filter(({ kind }) => kind === 'adjustment')
      // Four reports in all, each to four hours that the plan prices; a report that was late changed both regions.
      if (adjusted.length > 0) expect(await holds(tenant, { ...next, lines: adjusted }), tenant).to.equal(16)
    }
  })
})
