import { expect } from 'chai'
import { type Billing, openBilling, perUnit } from '../fixture.ts'
import { type Compared, replay } from './replays.ts'

const taxed = perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] })
const used = (id: string, time: string, quantity = '1') => ({
  id,
  meter: 'runs',
  quantity,
  time,
  package: 'restart-workers',
})
const statuses = ({ lines }: Compared) => lines.map(({ status }) => status)

describe('consumers/metering: POST /billing/replay', () => {
  let billing: Billing
  beforeEach(async () => {
    billing = await openBilling('2026-10-20T10:00:00Z')
    await billing.sell('restart-workers', taxed, ['acme', 'globex'])
  })
  afterEach(() => billing.close())

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
      differing_tenants: 0,
      differing_lines: 0,
      differing_hours: 0,
      differences: [{ currency: 'USD', difference: '0.00', drift: '0.00' }],
    })
    expect([done.complete, done.progress.events, done.progress.records]).to.deep.equal([true, 3, 3])
    expect(done.not_yet_counted).to.deep.equal({ events: 0, dead_letters: 0 })
    const one = await replay(billing, { period: '2026-10', tenant: 'acme' })
    const [acme] = one.tenants as [Compared]
    expect(statuses(acme)).to.deep.equal(['equal'])
    expect([acme.compared_with, acme.invoice?.number, acme.why]).to.deep.equal(['invoiced', 'ATOM-000001', []])
    expect([acme.totals.log.total, acme.totals.invoice.total]).to.deep.equal(['3.00', '3.00'])
    expect(await billing.owner("select 1 from pg_tables where schemaname = 'metering_rerating'")).to.deep.equal([])
  })

  it('finds no difference either while late usage waits for the next invoice, and once that is issued', async () => {
    await issuedOctober()
    billing.clock.set('2026-11-05T10:00:00Z')
    await billing.report([used('late', '2026-10-31T10:00:00Z', '4')])
    await billing.counted()
    const [waiting] = (await replay(billing, { period: '2026-10', tenant: 'acme' })).tenants as [Compared]
    expect([waiting.differing, waiting.totals.difference, waiting.compared_with]).to.deep.equal([0, '0.00', 'counted'])
    expect(waiting.why.map(({ code, amount }) => [code, amount])).to.deep.equal([['late_usage_pending', '2.40']])
    billing.clock.set('2026-12-01T01:00:00Z')
    await billing.issueDue()
    const [booked] = (await replay(billing, { period: '2026-10', tenant: 'acme' })).tenants as [Compared]
    expect([booked.differing, booked.compared_with, booked.why]).to.deep.equal([0, 'invoiced', []])
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
    expect(acme.why.map(({ code }) => code)).to.deep.equal(['hours_differ'])
  })
})
