import { expect } from 'chai'
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
      version: string
      dimensions: object
      quantity: string
      records: string
    }>(
      'select hour, meter, package, version, dimensions, quantity::text, records from metering.rollups where tenant = ? order by hour, meter, package, version, dimensions_key',
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

  it('keeps hours, meters, packages and their versions apart, whatever the dimensions', async () => {
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
      found.map((one) => [
        one.hour.toISOString().slice(11, 13),
        one.meter,
        one.package,
        one.version,
        one.quantity,
        one.records,
      ]),
    ).to.have.deep.members([
      ['07', 'runs', '', '', '1', '1'],
      ['08', 'bytes', '', '', '999999999999999999', '1'],
      ['08', 'runs', '', '', '1', '1'],
      ['08', 'runs', 'a', '', '1', '1'],
      ['08', 'runs', 'a', '1.0.0', '1', '1'],
      ['08', 'runs', 'a', '2.0.0', '0.000000000001', '1'],
    ])
  })

  it('counts whatever text a record may carry, quotes and line breaks included', async () => {
    const dimensions = { said: 'say "hi"\\ \t\n\u001f' }
    expect(await statuses([record('text-1', { dimensions })])).to.deep.equal(['counted'])
  })

  it('names records by their place in the report as it was sent', async () => {
    const { report_id } = await billing.report([
      record('place-0', { quantity: '-1' }),
      record('place-1'),
      record('place-2', { quantity: 'x' }),
      record('place-1'),
    ])
    const { records } = (await receipt(report_id)).body
    expect(records.map(({ index, status }) => [index, status])).to.deep.equal([
      [1, 'counted'],
      [3, 'duplicate'],
    ])
  })

  it('has a receipt for a report of which nothing was accepted', async () => {
    const { report_id } = await billing.report([record('none', { quantity: '-1' })])
    expect((await receipt(report_id)).body.records).to.deep.equal([])
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
})
