import { expect } from 'chai'
import { countReport } from '../../../consumers/metering/count-report.ts'
import { issueHeld } from '../../../consumers/metering/issue-held.ts'
import { loadTogether } from '../../../consumers/metering/load-together.ts'
import type { Charge, Plan } from '../../../consumers/metering/rating/plan.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { type Billing, openBilling } from './fixture.ts'

const PERIOD = '2026-11'

/** Charges of every kind that asks for the usage under its lines in another way. */
const planOf = (charges: number): Plan => ({
  name: `${charges} charges`,
  currency: 'USD',
  effective_from: '2026-01-01T00:00:00Z',
  charges: Array.from(
    { length: charges },
    (_, n): Charge => ({
      id: `c${n}`,
      meter: `m${n}`,
      model: 'per_unit',
      unit_amount: '0.50',
      ...(n % 3 === 1 ? { group_by: ['region'] } : {}),
      ...(n % 3 === 2 ? { filter: { region: 'eu' } } : {}),
    }),
  ),
})

describe('consumers/metering: the statements of issuing', function () {
  this.timeout(60_000)
  let billing: Billing
  let reports = 0
  beforeEach(async () => {
    billing = await openBilling('2026-12-01T02:00:00Z')
  })
  afterEach(() => billing.close())

  /** Tenants with usage of every charge of a plan, in a report each. */
  async function buyers(names: readonly string[], charges: number): Promise<void> {
    await billing.owner(
      "insert into platform.orgs (org, display_name, kind, created_at) select t, t, 'member', now() from unnest(?::text[]) t",
      [names],
    )
    await billing.sell(`p${charges}`, planOf(charges), [...names])
    for (const tenant of names) {
      const records = Array.from({ length: charges * 2 }, (_, n) => ({
        id: `${tenant}-${n}`,
        meter: `m${n % charges}`,
        package: `p${charges}`,
        quantity: '2',
        time: `2026-11-0${1 + (n % 7)}T10:00:00.000Z`,
        dimensions: { region: n < charges ? 'eu' : 'us' },
      }))
      const report_id = `0192f6a0-0000-7000-8000-${String(++reports).padStart(12, '0')}`
      const received_at = '2026-12-01T01:00:00.000Z'
      const root = 'd'.repeat(64)
      const event = usageReported.create(
        { report_id, tenant, reporter: tenant, received_at, root, records },
        { source: '//test', now: billing.clock() },
      )
      await billing.deps.allTenants.transaction((tx) => countReport(tx, event, billing.clock()))
    }
  }

  /** How many statements it takes to issue the month of tenants, and the lines with usage under them that come of it. */
  async function issue(tenants: readonly string[]): Promise<{ statements: number; lines: number }> {
    let statements = 0
    const numbers = await billing.deps.allTenants.transaction(async (tx) => {
      tx.on('query', () => {
        statements += 1
      })
      const loaded = await loadTogether(tx, tenants, PERIOD, '80')
      return issueHeld(tx, billing.deps, tenants, PERIOD, loaded)
    })
    expect(numbers).to.have.length(tenants.length)
    const [found] = await billing.owner<{ rooted: number }>(
      `select count(*) filter (where (l ->> 'usage_reports')::int > 0)::int as rooted
       from metering.invoices i
       cross join lateral jsonb_array_elements(convert_from(body, 'UTF8')::jsonb -> 'lines') as l
       where number = any(?::text[])`,
      [numbers],
    )
    return { statements, lines: found?.rooted ?? 0 }
  }

  it('are as many for one invoice of a few lines as for many of many', async () => {
    const many = ['b-1', 'b-2', 'b-3', 'b-4', 'b-5']
    await buyers(['a-1'], 3)
    await buyers(many, 12)
    const few = await issue(['a-1'])
    const more = await issue(many)
    expect(few.lines).to.equal(4)
    expect(more.lines).to.equal(5 * 16)
    expect(more.statements).to.equal(few.statements)
  })

  it('number invoices in their order and store what each is alone', async () => {
    const names = ['b-1', 'b-2', 'b-3']
    await buyers(names, 3)
    const live = await Promise.all(names.map((tenant) => billing.invoice(tenant, PERIOD)))
    await issue(names)
    for (const [n, tenant] of names.entries()) {
      const issued = await billing.invoice(tenant, PERIOD)
      expect(issued.number).to.equal(`ATOM-00000${n + 1}`)
      expect(issued.total).to.equal(live[n]?.total)
      expect(issued.lines.map(({ id, amount }) => [id, amount])).to.deep.equal(
        live[n]?.lines.map(({ id, amount }) => [id, amount]),
      )
    }
  })
})
