import { expect } from 'chai'
import type { Charge } from '../../../../consumers/metering/rating/plan.ts'
import { type Billing, perUnit, type Record_ } from '../fixture.ts'
import { type Compared, replay } from './replays.ts'

const taxed = perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] })
const used = (id: string, time: string, quantity = '1') => ({
  id,
  meter: 'runs',
  quantity,
  time,
  package: 'restart-workers',
})
/** What is known of the cause; how far the log reaches back is another question. */
const reasons = ({ why }: Compared) => why.map(({ code }) => code).filter((code) => code !== 'log_incomplete')
const statuses = ({ lines }: Compared) => lines.map(({ status }) => status)

export type ReplayStage = {
  billing: Billing
  /** Retention comes by and takes everything. */
  trim(): Promise<void>
  close(): Promise<void>
}

/** What a replay finds, the same on the log in PostgreSQL and on Kafka. `begun`: of an empty bus that never held more. */
export function reratingContract(backend: string, open: (start: string) => Promise<ReplayStage>, begun: boolean): void {
  describe(`replay of a month: ${backend}`, () => {
    let stage: ReplayStage
    let billing: Billing
    beforeEach(async () => {
      stage = await open('2026-10-20T10:00:00Z')
      billing = stage.billing
      await billing.sell('restart-workers', taxed, ['acme', 'globex'])
    })
    afterEach(() => stage.close())

    /** Everything a replay could have changed, but for what is its own. */
    const everything = async () => {
      const tables = await billing.owner<{ name: string }>(
        `select schemaname || '.' || tablename as name from pg_tables
       where schemaname in ('metering', 'platform') and tablename not in ('reratings', 'rerating_results')`,
      )
      const sums: Record<string, string> = {}
      for (const { name } of tables) {
        const [found] = await billing.owner<{ sum: string }>(
          `select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as sum from ${name} t`,
        )
        sums[name] = found?.sum ?? ''
      }
      return sums
    }

    async function issuedOctober(): Promise<void> {
      await billing.report([used('a', '2026-10-20T09:00:00Z', '3'), used('b', '2026-10-20T09:30:00Z', '2')])
      // A repeat, and the same id with another content: the first counts.
      await billing.report([used('a', '2026-10-20T09:00:00Z', '3'), used('b', '2026-10-21T09:30:00Z', '9')])
      await billing.report([used('c', '2026-10-20T09:00:00Z', '7')], billing.tokens.globex)
      await billing.counted()
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
    }

    it('finds no difference where there is none, with repeats and conflicts in the log, and changes nothing', async () => {
      await issuedOctober()
      const before = await everything()
      const done = await replay(billing, { period: '2026-10' })
      expect(await everything()).to.deep.equal(before)
      expect(done.result).to.deep.equal({
        tenants: 2,
        failed_tenants: 0,
        differing_tenants: 0,
        differing_lines: 0,
        differing_hours: 0,
        differences: [{ currency: 'USD', difference: '0.00', drift: '0.00' }],
      })
      expect([done.progress.events, done.progress.records]).to.deep.equal([3, 3])
      if (begun) expect(done.complete).to.equal(true)
      expect(done.not_yet_counted).to.deep.equal({ events: 0, dead_letters: 0 })
      const one = await replay(billing, { period: '2026-10', tenant: 'acme' })
      const [acme] = one.tenants as [Compared]
      expect(statuses(acme)).to.deep.equal(['equal'])
      expect([acme.compared_with, acme.invoice?.number]).to.deep.equal(['invoiced', 'ATOM-000001'])
      expect(reasons(acme)).to.deep.equal([])
      expect([acme.totals.log.total, acme.totals.invoice.total]).to.deep.equal(['3.00', '3.00'])
      expect(await billing.owner("select 1 from pg_tables where schemaname = 'metering_rerating'")).to.deep.equal([])
    })

    it('finds no difference either while late usage waits for the next invoice, and once that is issued', async () => {
      await issuedOctober()
      billing.clock.set('2026-11-05T10:00:00Z')
      await billing.report([used('late', '2026-10-31T10:00:00Z', '4')])
      await billing.counted()
      const [waiting] = (await replay(billing, { period: '2026-10', tenant: 'acme' })).tenants as [Compared]
      expect([waiting.differing, waiting.totals.difference, waiting.compared_with]).to.deep.equal([
        0,
        '0.00',
        'counted',
      ])
      expect(reasons(waiting)).to.deep.equal(['late_usage_pending'])
      expect(waiting.why[0]?.amount).to.equal('2.40')
      billing.clock.set('2026-12-01T01:00:00Z')
      await billing.issueDue()
      const [booked] = (await replay(billing, { period: '2026-10', tenant: 'acme' })).tenants as [Compared]
      expect([booked.differing, booked.compared_with, reasons(booked)]).to.deep.equal([0, 'invoiced', []])
      expect(booked.totals.invoice.total).to.equal('5.40')
      const then = await replay(billing, { period: '2026-10', tenant: 'acme', as_of: '2026-11-02T00:00:00Z' })
      expect([then.tenants[0]?.differing, then.tenants[0]?.totals.log.total]).to.deep.equal([0, '3.00'])
    })

    it('finds a stored hour that was tampered with before the invoice was issued: the line, the hour and the amounts', async () => {
      await billing.report([used('a', '2026-10-20T09:00:00Z', '3')])
      await billing.counted()
      await billing.owner("update metering.rollups set quantity = 2 where tenant = 'acme'")
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
      const done = await replay(billing, { period: '2026-10' })
      expect(done.result).to.deep.include({ tenants: 1, differing_tenants: 1, differing_lines: 1, differing_hours: 1 })
      expect(done.result.differences).to.deep.equal([{ currency: 'USD', difference: '0.60', drift: '0.60' }])
      const [acme] = done.tenants as [Compared]
      expect(
        acme.lines.map(({ status, log, invoice, difference }) => ({ status, log, invoice, difference })),
      ).to.deep.equal([
        {
          status: 'changed',
          log: { quantity: '3', amount: '1.50' },
          invoice: { quantity: '2', amount: '1.00' },
          difference: '0.50',
        },
      ])
      expect(acme.hours).to.deep.equal([
        {
          hour: '2026-10-20T09:00:00.000Z',
          meter: 'runs',
          package: 'restart-workers',
          log: { quantity: '3', records: 1, change: '3' },
          counted: { quantity: '2', records: 1, change: '3' },
        },
      ])
      expect(reasons(acme)).to.deep.equal(['hours_differ'])
    })

    it('finds what was changed after the invoice was issued: the invoice is right, what is stored is not', async () => {
      await issuedOctober()
      await billing.owner("update metering.rollups set quantity = quantity + 1 where tenant = 'globex'")
      const done = await replay(billing, { period: '2026-10' })
      expect(done.result).to.deep.include({ tenants: 2, differing_tenants: 0, differing_lines: 0, differing_hours: 1 })
      const [globex] = done.tenants as [Compared]
      expect([globex.tenant, globex.totals.difference]).to.deep.equal(['globex', '0.00'])
      expect(reasons(globex)).to.deep.equal(['counted_changed_since_issue', 'hours_differ'])
    })

    it('finds an invoice line that the log does not have, and usage that no invoice has', async () => {
      await billing.report([used('a', '2026-10-20T09:00:00Z', '3')])
      await billing.counted()
      await billing.owner("delete from metering.rollups where tenant = 'acme'")
      await billing.owner(`insert into metering.rollups (tenant, hour, meter, package, dimensions, dimensions_key, quantity,
      records, change) values ('globex', '2026-10-20T09:00:00Z', 'runs', 'restart-workers', '{}',
      substring(sha256('{}') for 16), 4, 1, 4)`)
      await billing.owner(
        "insert into metering.invoices (tenant, id, period, status, currency) values ('globex', gen_random_uuid(), '2026-10', 'gathering', 'USD')",
      )
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
      const { tenants, result } = await replay(billing, { period: '2026-10' })
      expect(tenants.map(({ tenant, drift, hours }) => [tenant, drift, hours.length])).to.deep.equal([
        ['acme', '1.80', 1],
        ['globex', '2.40', 1],
      ])
      expect([tenants[0]?.hours[0]?.counted, tenants[1]?.hours[0]?.log]).to.deep.equal([null, null])
      expect(result.differences, 'what cancels out is still wrong').to.deep.equal([
        { currency: 'USD', difference: '-0.60', drift: '4.20' },
      ])
    })

    it('leaves out an id that was used before the month, as it was when it came', async () => {
      await billing.report([used('x', '2026-10-20T09:00:00Z', '3')])
      await billing.counted()
      billing.clock.set('2026-11-10T10:00:00Z')
      await billing.report([used('x', '2026-11-10T09:00:00Z', '50'), used('y', '2026-11-10T09:00:00Z', '1')])
      await billing.counted()
      const { tenants, progress } = await replay(billing, { period: '2026-11', tenant: 'acme' })
      expect([progress.records, tenants[0]?.differing, tenants[0]?.totals.log.total]).to.deep.equal([1, 0, '0.60'])
    })

    it('says so when retention has removed events of the month', async () => {
      await issuedOctober()
      await stage.trim()
      const done = await replay(billing, { period: '2026-10', tenant: 'acme' })
      const [acme] = done.tenants as [Compared]
      expect([done.complete, done.progress.events]).to.deep.equal([false, 0])
      expect(acme.why.map(({ code }) => code)).to.deep.equal(['hours_differ', 'log_incomplete'])
      expect(acme.lines.map(({ log, invoice }) => [log?.amount, invoice?.amount])).to.deep.equal([['0.00', '2.50']])
    })

    it('counts what prices of every kind need: groups, single values, single events and levels', async () => {
      const charges: Charge[] = [
        ...(['count', 'max', 'latest', 'average', 'unique', 'weighted_sum'] as const).map(
          (aggregation): Charge => ({ id: aggregation, model: 'per_unit', meter: 'm', unit_amount: '1', aggregation }),
        ),
        { id: 'groups', model: 'per_unit', meter: 'm', unit_amount: '2', group_by: ['region'] },
        { id: 'people', model: 'per_unit', meter: 'm', unit_amount: '1', aggregation: 'unique', unique_by: 'person' },
        { id: 'fee', model: 'percentage', meter: 'm', rate_percent: '10', fixed_amount: '0.30', free_events: 1 },
      ]
      await billing.sell('rich', perUnit('1', { charges, minimum_commitment: '500' }), ['acme'])
      const record = (id: string, quantity: string, minute: number, region: string, person: string): Record_ => ({
        id,
        meter: 'm',
        quantity,
        time: `2026-10-20T09:${minute}:00Z`,
        package: 'rich',
        dimensions: { region, person, note: id },
      })
      await billing.report([record('1', '3', 10, 'east', 'p'), record('2', '3.5', 20, 'west', 'q')])
      await billing.report([record('2', '3.5', 20, 'west', 'q'), record('3', '0.25', 30, 'east', 'p')])
      await billing.counted()
      billing.clock.set('2026-11-01T01:00:00Z')
      await billing.issueDue()
      const { tenants } = await replay(billing, { period: '2026-10', tenant: 'acme' })
      const [acme] = tenants as [Compared]
      expect([acme.differing, acme.drift, reasons(acme)]).to.deep.equal([0, '0.00', []])
      expect(acme.lines.length).to.be.greaterThan(charges.length)
      expect(new Set(statuses(acme))).to.deep.equal(new Set(['equal']))
    })

    it('prices the log by another plan, of a partner or sent along, without what was kept for it', async () => {
      await issuedOctober()
      const groups = perUnit('1', {
        charges: [{ id: 'runs', model: 'per_unit', meter: 'runs', unit_amount: '2', aggregation: 'unique' }],
      })
      const made = await billing.call<{ id: string }>('POST', '/billing/plans', {
        as: billing.tokens.demo,
        json: groups,
      })
      for (const json of [{ plan_version: made.body.id }, { plan: groups }]) {
        const { tenants, result } = await replay(billing, { period: '2026-10', ...json })
        expect(result.tenants).to.equal(2)
        expect(tenants.map(({ tenant, totals }) => [tenant, totals.log.total, totals.difference])).to.deep.equal([
          ['acme', '4.00', '1.00'],
          ['globex', '2.00', '-2.20'],
        ])
        expect(tenants[0]?.why.map(({ code }) => code)).to.include('other_plan')
      }
      const yen = { ...groups, currency: 'JPY' }
      expect((await replay(billing, { period: '2026-10', plan: yen })).result.tenants).to.equal(0)
    })
  })
}
