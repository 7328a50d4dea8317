import { expect } from 'chai'
import fc from 'fast-check'
import { countReport } from '../../../consumers/metering/count-report.ts'
import { rateLive } from '../../../consumers/metering/invoice.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { holds } from '../../support/property.ts'
import { type Billing, openBilling, perUnit, type Record_ } from './fixture.ts'

const record = (id: string, more: object = {}): Record_ => ({
  id,
  meter: 'runs',
  quantity: '1',
  time: '2026-11-10T09:00:00Z',
  ...more,
})

describe('consumers/metering: any order, repetition and batching of the same records', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling()
    await billing.sell('restart-workers', perUnit('0.50'), ['acme'])
  })
  after(() => billing.close())

  const rollups = (tenant: string) =>
    billing.owner<{
      hour: Date
      meter: string
      package: string
      dimensions: object
      quantity: string
      records: string
    }>(
      'select hour, meter, package, version, dimensions, quantity::text, records from metering.rollups where tenant = ? order by hour, meter, package, version, dimensions_key',
      [tenant],
    )

  let runs = 0
  /** Counts the reports one after the other for a tenant of its own, and gives its rollups and its invoice. */
  async function result(reports: Record_[][]) {
    const tenant = `t-${++runs}`
    await billing.owner('insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, ?, now())', [
      tenant,
      tenant,
      'member',
    ])
    await billing.owner(
      "insert into metering.subscriptions select ?, id, partner, package, plan_id, currency, starts_at, ends_at from metering.subscriptions where tenant = 'acme'",
      [tenant],
    )
    for (const [index, records] of reports.entries()) {
      const report_id = `0192f6a0-0000-7000-8000-${String(runs * 1_000 + index).padStart(12, '0')}`
      const data = {
        report_id,
        tenant,
        reporter: tenant,
        received_at: '2026-11-10T10:00:00.000Z',
        root: 'd'.repeat(64),
        records: records.map((one) => ({ ...one, quantity: String(one.quantity) })) as never,
      }
      const event = usageReported.create(data, { source: '//test', now: billing.clock() })
      await billing.deps.allTenants.transaction((tx) => countReport(tx, event, billing.clock()))
    }
    const live = await billing.deps.allTenants.transaction((tx) =>
      rateLive(tx, tenant, '2026-11', '80', billing.clock()),
    )
    const lines = live.rated.lines.map(({ id: _id, ...line }) => line)
    const { packages: _byLineId, ...rated } = live.rated
    return { rollups: await rollups(tenant), ...rated, lines }
  }

  it('give the same rollups and the same invoice', async () => {
    const records = fc.uniqueArray(
      fc.record({
        id: fc.stringMatching(/^[a-z]{1,4}$/),
        meter: fc.constantFrom('runs', 'walks'),
        quantity: fc.bigInt({ min: 0n, max: 10n ** 15n }).map((scaled) => formatDecimal(scaled)),
        time: fc
          .integer({ min: 0, max: 20 * 24 - 1 })
          .map((hour) => new Date(Date.UTC(2026, 10, 1, hour, 30)).toISOString()),
        package: fc.constantFrom('restart-workers', 'restart-workers@1.0.0', 'other'),
        dimensions: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y')),
      }),
      { minLength: 1, maxLength: 12, selector: ({ id }) => id },
    )
    const play = records.chain((all) =>
      fc.record({
        all: fc.constant(all as Record_[]),
        reports: fc.array(fc.array(fc.constantFrom(...(all as Record_[])), { minLength: 1, maxLength: 6 }), {
          maxLength: 3,
        }),
        rest: fc.shuffledSubarray(all as Record_[], { minLength: all.length }),
      }),
    )
    await holds(
      fc.asyncProperty(play, async ({ all, reports, rest }) => {
        const [plain, played] = [await result([all]), await result([...reports, rest])]
        expect(played).to.deep.equal(plain)
        const runs_ = all.filter(({ meter, package: of }) => meter === 'runs' && of?.startsWith('restart-workers'))
        const quantity = runs_.reduce((sum, one) => sum + decimal(String(one.quantity)), 0n)
        expect(plain.lines[0]?.quantity).to.equal(formatDecimal(quantity))
      }),
      200,
    )
  }).timeout(60_000)

  it('keep the first of two contents under one id, in any batching', async () => {
    const one = record('twice', { time: '2026-11-10T09:00:00.000Z' })
    const two = { ...one, quantity: '5' }
    const split = await result([[one], [two], [two, one]])
    const together = await result([[one, two]])
    expect(split).to.deep.equal(together)
    expect(split.lines[0]?.quantity).to.equal('1')
  })

  it('counts reports of one tenant that are applied at the same time once', async () => {
    const make = (n: number) => {
      const report_id = `0192f6a0-0000-7000-8000-9${String(n).padStart(11, '0')}`
      const ids = n % 2 ? ['x-1', 'x-2', 'x-3'] : ['x-3', 'x-2', 'x-1']
      const records = ids.map((id) => record(id, { time: '2026-11-05T09:00:00.000Z', meter: 'parallel' })) as never
      return usageReported.create(
        {
          report_id,
          tenant: 'acme',
          reporter: 'acme',
          received_at: '2026-11-10T10:00:00.000Z',
          root: 'd'.repeat(64),
          records,
        },
        { source: '//test', now: billing.clock() },
      )
    }
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        billing.deps.allTenants.transaction((tx) => countReport(tx, make(n), billing.clock())),
      ),
    )
    expect(results.reduce((sum, { counted }) => sum + counted, 0)).to.equal(3)
    const [{ quantity } = { quantity: '' }] = await billing.owner<{ quantity: string }>(
      "select quantity::text from metering.rollups where meter = 'parallel'",
    )
    expect(quantity).to.equal('3')
  })
})
