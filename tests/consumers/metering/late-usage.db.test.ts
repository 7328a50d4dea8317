import { expect } from 'chai'
import { countReport } from '../../../consumers/metering/count-report.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { type Billing, openBilling, perUnit } from './fixture.ts'

const taxed = perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] })
const used = (id: string, time: string, quantity = '1') => ({
  id,
  meter: 'runs',
  quantity,
  time,
  package: 'restart-workers',
})

describe('consumers/metering: late usage', () => {
  let billing: Billing
  beforeEach(async () => {
    billing = await openBilling('2026-10-20T10:00:00Z')
    await billing.sell('restart-workers', taxed, ['acme'])
  })
  afterEach(() => billing.close())

  const at = (time: string) => billing.clock.set(time)
  const report = async (time: string, quantity: string) => {
    await billing.report([used(`${time}/${quantity}`, time, quantity)])
    await billing.counted()
  }
  const linesOf = async (tenant: string, of: string, through: string[]) => {
    const total = new Map<string, bigint>()
    for (const period of through)
      for (const line of (await billing.invoice(tenant, period)).lines)
        if (line.period === of)
          total.set(line.adjusts ?? line.id, (total.get(line.adjusts ?? line.id) ?? 0n) + decimal(line.amount))
    return [...total.values()].map((sum) => formatDecimal(sum, 2))
  }

  it('is late on its receipt and an adjustment of the current month', async () => {
    await report('2026-10-20T09:00:00Z', '3')
    at('2026-11-01T01:00:00Z')
    await billing.issueDue()
    at('2026-11-05T10:00:00Z')
    const { report_id } = await billing.report([used('late', '2026-10-31T10:00:00Z', '4')])
    await billing.counted()
    const receipt = await billing.call<{ records: { status: string }[] }>('GET', `/usage/receipts/${report_id}`, {
      as: billing.tokens.acme,
    })
    expect(receipt.body.records.map(({ status }) => status)).to.deep.equal(['late'])
    const november = await billing.invoice('acme', '2026-11')
    expect(november.lines.map(({ kind, period, amount }) => [kind, period, amount])).to.deep.equal([
      ['usage', '2026-11', '0.00'],
      ['adjustment', '2026-10', '2.00'],
    ])
    expect([november.subtotal, november.tax, november.total]).to.deep.equal(['2.00', '0.40', '2.40'])
  })

  it('is on the invoice that is issued next, once, and on none after', async () => {
    await report('2026-10-20T09:00:00Z', '3')
    at('2026-11-01T01:00:00Z')
    await billing.issueDue()
    at('2026-11-05T10:00:00Z')
    await report('2026-10-31T10:00:00Z', '4')
    at('2026-12-01T01:00:00Z')
    expect(await billing.issueDue()).to.deep.equal(['ATOM-000002'])
    const november = await billing.invoice('acme', '2026-11')
    expect(november.status).to.equal('issued')
    expect(november.lines.map(({ kind, period, amount }) => [kind, period, amount])).to.deep.include([
      'adjustment',
      '2026-10',
      '2.00',
    ])
    expect(await billing.owner('select period from metering.late_periods')).to.deep.equal([])
    expect((await billing.invoice('acme', '2026-12')).lines.filter(({ kind }) => kind === 'adjustment')).to.deep.equal(
      [],
    )
  })

  it('adds up: the lines of all invoices for a month are that month rated once', async () => {
    await report('2026-10-20T09:00:00Z', '3')
    const arrivals: [string, string, string][] = [
      ['2026-11-05T10:00:00Z', '2026-10-31T10:00:00Z', '4'],
      ['2026-11-20T10:00:00Z', '2026-11-10T10:00:00Z', '6'],
      ['2026-12-03T10:00:00Z', '2026-10-30T10:00:00Z', '1'],
      ['2026-12-04T10:00:00Z', '2026-11-30T23:59:59Z', '2'],
      ['2027-01-10T10:00:00Z', '2026-11-29T10:00:00Z', '8'],
    ]
    const months = ['2026-10', '2026-11', '2026-12', '2027-01', '2027-02']
    for (const [arrives, time, quantity] of arrivals) {
      const due = `${arrives.slice(0, 7)}-01T01:00:00Z`
      if (due > billing.clock().toISOString()) {
        at(due)
        await billing.issueDue()
      }
      at(arrives)
      await report(time, quantity)
    }
    at('2027-02-01T01:00:00Z')
    await billing.issueDue()
    expect(await linesOf('acme', '2026-10', months)).to.deep.equal(['4.00'])
    expect(await linesOf('acme', '2026-11', months)).to.deep.equal(['8.00'])
    const [{ owed } = { owed: '' }] = await billing.owner<{ owed: string }>(
      "select sum(amount)::text as owed from metering.ledger where account = 'tenant_receivable'",
    )
    expect(formatDecimal(decimal(owed), 2)).to.equal('14.40')
  })

  it('is billed once although it is counted while the next invoice is issued', async () => {
    await report('2026-10-20T09:00:00Z', '3')
    at('2026-11-01T01:00:00Z')
    await billing.issueDue()
    const months = ['2026-11', '2026-12', '2027-01', '2027-02', '2027-03', '2027-04', '2027-05']
    let quantity = 3
    const late = async (id: string) => {
      const record = {
        id,
        meter: 'runs',
        quantity: '1',
        time: '2026-10-20T09:00:00.000Z',
        package: 'restart-workers',
      }
      const report_id = `0192f6a0-0000-7000-8000-${String(++quantity).padStart(12, '0')}`
      const data = {
        report_id,
        tenant: 'acme',
        reporter: 'acme',
        received_at: '2026-11-10T10:00:00.000Z',
        root: 'd'.repeat(64),
        records: [record],
      }
      const event = usageReported.create(data, { source: '//test', now: billing.clock() })
      await billing.deps.allTenants.transaction((tx) => countReport(tx, event, billing.clock()))
    }
    for (const [index, month] of months.entries()) {
      at(`${month}-10T10:00:00Z`)
      await late(`before-${month}`)
      at(`${months[index + 1] ?? '2027-06'}-01T01:00:00Z`)
      await Promise.all([late(`a-${month}`), billing.issue(month), late(`b-${month}`), late(`c-${month}`)])
    }
    at('2027-07-01T01:00:00Z')
    await billing.issueDue()
    expect(await linesOf('acme', '2026-10', ['2026-10', ...months, '2027-06'])).to.deep.equal([
      formatDecimal(decimal(String(quantity)) / 2n, 2),
    ])
  })

  it('between the end of a month and its issuing is still of that month', async () => {
    await report('2026-10-20T09:00:00Z', '3')
    at('2026-11-01T00:30:00Z')
    await report('2026-10-31T23:00:00Z', '1')
    at('2026-11-01T01:00:00Z')
    await billing.issueDue()
    expect(await linesOf('acme', '2026-10', ['2026-10'])).to.deep.equal(['2.00'])
    expect((await billing.invoice('acme', '2026-11')).lines.filter(({ kind }) => kind === 'adjustment')).to.deep.equal(
      [],
    )
  })

  it('of a month that is neither issued nor current shows on one open invoice only', async () => {
    await report('2026-10-20T09:00:00Z', '3')
    at('2026-11-01T01:00:00Z')
    await billing.issueDue()
    await report('2026-11-01T01:00:00Z', '1')
    at('2026-12-01T00:30:00Z')
    await report('2026-10-31T10:00:00Z', '4')
    await report('2026-12-01T00:10:00Z', '1')
    const carrying = []
    for (const period of ['2026-11', '2026-12'])
      if ((await billing.invoice('acme', period)).lines.some(({ kind }) => kind === 'adjustment')) carrying.push(period)
    expect(carrying).to.deep.equal(['2026-11'])
    at('2026-12-01T01:00:00Z')
    await billing.issueDue()
    expect(await linesOf('acme', '2026-10', ['2026-10', '2026-11', '2026-12'])).to.deep.equal(['3.50'])
  })
})
