import { expect } from 'chai'
import fc from 'fast-check'
import { countReport } from '../../../consumers/metering/count-report.ts'
import { rateLive } from '../../../consumers/metering/invoice.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { holds } from '../../support/property.ts'
import { type Billing, openBilling, type Problem, perUnit, type Receipt, type Record_ } from './fixture.ts'

const record = (id: string, more: object = {}): Record_ => ({
  id,
  meter: 'runs',
  quantity: '1',
  time: '2026-11-10T09:00:00Z',
  ...more,
})

describe('consumers/metering: counting', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling()
    await billing.sell('restart-workers', perUnit('0.50'), ['acme'])
    await billing.consume()
  })
  after(() => billing.close())

  const receipt = async (id: string, as = billing.tokens.acme) => {
    await billing.counted()
    return billing.call<Receipt & Problem>('GET', `/usage/receipts/${id}`, { as })
  }
  const statuses = async (records: Record_[], as?: string) => {
    const { report_id } = await billing.report(records, as)
    return (await receipt(report_id)).body.records.map(({ status }) => status)
  }
  const rollups = (tenant: string) =>
    billing.owner<{
      hour: Date
      meter: string
      package: string
      dimensions: object
      quantity: string
      records: string
    }>(
      'select hour, meter, package, dimensions, quantity::text, records from metering.rollups where tenant = ? order by hour, meter, package, dimensions_key',
      [tenant],
    )

  describe('receipts', () => {
    it('say what became of each record', async () => {
      expect(await statuses([record('r-1'), record('r-2', { quantity: '2' })])).to.deep.equal(['counted', 'counted'])
      expect(await statuses([record('r-1'), record('r-3'), record('r-2', { quantity: '3' })])).to.deep.equal([
        'duplicate',
        'counted',
        'conflict',
      ])
    })

    it('take one record sent twice in one report as one and a repeat', async () => {
      expect(await statuses([record('s-1'), record('s-1'), record('s-1', { quantity: '9' })])).to.deep.equal([
        'counted',
        'duplicate',
        'conflict',
      ])
    })

    it('take another spelling of the same for a repeat, and another time for a conflict', async () => {
      await statuses([record('t-1', { quantity: '1.5', dimensions: { a: 'x', b: 'y' } })])
      expect(
        await statuses([
          record('t-1', { quantity: '01.50', time: '2026-11-10T10:00:00+01:00', dimensions: { b: 'y', a: 'x' } }),
        ]),
      ).to.deep.equal(['duplicate'])
      expect(
        await statuses([
          record('t-1', { quantity: '1.5', time: '2026-11-10T09:00:01Z', dimensions: { a: 'x', b: 'y' } }),
        ]),
      ).to.deep.equal(['conflict'])
      expect(await statuses([record('t-1', { quantity: '1.5', dimensions: { a: 'x' } })])).to.deep.equal(['conflict'])
      expect(
        await statuses([
          record('t-1', { quantity: '1.5', dimensions: { a: 'x', b: 'y' }, package: 'restart-workers' }),
        ]),
      ).to.deep.equal(['conflict'])
    })

    it('name usage that no plan prices', async () => {
      expect(
        await statuses([
          record('u-1', { meter: 'walks' }),
          record('u-2', { package: 'somebody-elses' }),
          record('u-3', { package: 'restart-workers@2.0.0' }),
        ]),
      ).to.deep.equal(['unpriced', 'unpriced', 'counted'])
    })

    it('give one id to two tenants', async () => {
      expect(await statuses([record('shared')])).to.deep.equal(['counted'])
      const { report_id } = await billing.report(
        [record('shared', { tenant: 'acme' }), record('mine')],
        billing.tokens.demo,
      )
      const { body } = await receipt(report_id, billing.tokens.demo)
      expect(body.records.map(({ tenant, status }) => [tenant, status])).to.have.deep.members([
        ['acme', 'conflict'],
        ['demo', 'unpriced'],
      ])
    })

    it('tell the partner that reported what became of its records, and nobody else', async () => {
      await statuses([record('v-1', { package: 'restart-workers' })])
      const { report_id } = await billing.report(
        [
          record('v-1', { tenant: 'acme', package: 'restart-workers' }),
          record('v-2', { tenant: 'acme', package: 'restart-workers' }),
        ],
        billing.tokens.demo,
      )
      for (const as of [billing.tokens.demo, billing.tokens.acme, billing.tokens.finance])
        expect((await receipt(report_id, as)).body.records.map(({ status }) => status)).to.deep.equal([
          'duplicate',
          'counted',
        ])
      expect((await receipt(report_id, billing.tokens.globex)).status).to.equal(404)
      const { report_id: own } = await billing.report([record('v-3')])
      expect((await receipt(own, billing.tokens.demo)).status, 'a report the tenant sent itself').to.equal(404)
    })

    it('are 404 for what is no report', async () => {
      for (const id of ['x', '0192f6a0-0000-7000-8000-000000000001', '%00']) {
        const { status, body } = await receipt(id)
        expect([status, body.code], id).to.deep.equal([404, 'not_found'])
      }
    })

    it('repeat the root and the count of the 202', async () => {
      const { report_id, receipt: given } = await billing.report([record('w-1'), record('w-2')])
      expect((await receipt(report_id)).body).to.include({
        report_id,
        root: given.root,
        count: given.count,
        reporter: 'acme',
      })
    })
  })

  it('keeps hours, meters, packages and dimensions apart, whatever the version of a package', async () => {
    await billing.report(
      [
        record('h-1', { time: '2026-11-10T07:59:59.999Z', tenant: 'globex' }),
        record('h-2', { time: '2026-11-10T08:00:00Z' }),
        record('h-3', { time: '2026-11-10T08:30:00Z', package: 'a@1.0.0' }),
        record('h-4', { time: '2026-11-10T08:40:00Z', package: 'a@2.0.0', quantity: '0.000000000001' }),
        record('h-5', { time: '2026-11-10T08:40:00Z', package: 'a', dimensions: { region: 'eu' } }),
        record('h-6', { time: '2026-11-10T08:50:00Z', meter: 'bytes', quantity: '999999999999999999' }),
      ].map(({ tenant: _tenant, ...one }: Record_) => one),
      billing.tokens.globex,
    )
    await billing.counted()
    const found = await rollups('globex')
    expect(
      found.map((one) => [one.hour.toISOString().slice(11, 13), one.meter, one.package, one.quantity, one.records]),
    ).to.have.deep.members([
      ['07', 'runs', '', '1', '1'],
      ['08', 'bytes', '', '999999999999999999', '1'],
      ['08', 'runs', '', '1', '1'],
      ['08', 'runs', 'a', '1.000000000001', '2'],
      ['08', 'runs', 'a', '1', '1'],
    ])
  })

  it('stores neither ids nor contents of records, only their hashes (P-1)', async () => {
    const secret = 'user-jane-doe@example.org'
    await statuses([record(secret)])
    const tables = await billing.owner<{ name: string }>(
      "select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and n.nspname in ('metering', 'read', 'marketplace')",
    )
    expect(tables.length).to.be.greaterThan(10)
    for (const { name } of tables) {
      const [{ n } = { n: 0 }] = await billing.owner<{ n: number }>(
        `select count(*)::int as n from ${name} t where t::text like '%jane-doe%'`,
      )
      expect(n, name).to.equal(0)
    }
  })

  describe('any order, repetition and batching of the same records', () => {
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
      const live = await billing.deps.allTenants.transaction((tx) => rateLive(tx, tenant, '2026-11', '80'))
      const lines = live.rated.lines.map(({ id: _id, ...line }) => line)
      return { rollups: await rollups(tenant), ...live.rated, lines }
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
