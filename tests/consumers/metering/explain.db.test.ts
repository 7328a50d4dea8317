import { expect } from 'chai'
import { decimal } from '../../../platform/decimal.ts'
import { type Billing, openBilling, perUnit } from './fixture.ts'

type Explained = {
  line: { id: string; amount: string; quantity: string }
  rated_now: { quantity: string; amount: string } | null
  price: { version: string; charge: { unit_amount: string } } | null
  usage: { quantity: string; records: number; hours: { hour: string; quantity: string; records: number }[] }
  postings: { account: string; amount: string }[]
}
type Close = {
  issued: number
  closed: boolean
  checks: { name: string; count: number; action?: string; links?: object }[]
}

describe('consumers/metering: a month in the books', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling('2026-11-10T10:00:00Z')
    await billing.sell('one', perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] }))
  })
  after(() => billing.close())
  const report = async (id: string, time: string, quantity: string, meter = 'runs') => {
    await billing.report([{ id, meter, package: 'one', quantity, time }])
    await billing.counted()
  }
  const get = <B>(path: string, as = billing.tokens.finance) => billing.call<B>('GET', path, { as })
  const explain = (line: string, period: string, as = billing.tokens.finance) =>
    get<Explained>(`/billing/invoice/acme/lines/${line}/explain?period=${period}`, as)
  const close = async (period: string) => (await get<Close>(`/billing/close/${period}`)).body
  const counts = ({ checks }: Close) => Object.fromEntries(checks.map(({ name, count }) => [name, count]))

  it('explains a live line down to its hours and its price', async () => {
    await report('a', '2026-11-02T10:05:00Z', '3')
    await report('b', '2026-11-02T10:55:00Z', '4')
    await report('c', '2026-11-09T23:59:59Z', '5')
    const [line] = (await billing.invoice('acme', '2026-11')).lines
    const { body } = await explain(line?.id ?? '', '2026-11')
    expect(body.usage.hours.map(({ hour, quantity, records }) => [hour, quantity, records])).to.deep.equal([
      ['2026-11-02T10:00:00.000Z', '7', 2],
      ['2026-11-09T23:00:00.000Z', '5', 1],
    ])
    expect([body.usage.quantity, body.usage.records, body.line.quantity]).to.deep.equal(['12', 3, '12'])
    expect(body.price?.charge.unit_amount).to.equal('0.50')
    expect(body.postings).to.deep.equal([])
  })

  it('says what stands between the month and its books', async () => {
    const open = await close('2026-11')
    expect(counts(open)).to.include({ unbilled: 1, late: 0, unbalanced: 0, quarantined: 0 })
    expect(open.closed).to.equal(false)
    expect(open.checks[0]?.action).to.contain('collection')
    billing.clock.set('2026-12-01T01:00:00Z')
    await billing.issueDue()
    const done = await close('2026-11')
    expect(counts(done)).to.include({ unbilled: 0, late: 0, unbalanced: 0, quarantined: 0 })
    expect([done.issued, done.closed]).to.deep.equal([1, true])
    await report('d', '2026-11-30T10:00:00Z', '2')
    const later = await close('2026-11')
    expect([counts(later).late, later.closed]).to.deep.equal([1, false])
  })

  it('explains an issued line with its postings, and an adjustment by the line that it corrects', async () => {
    const issued = await billing.invoice('acme', '2026-11')
    const { body } = await explain(issued.lines[0]?.id ?? '', '2026-11')
    expect(body.postings.reduce((sum, { amount }) => sum + decimal(amount), 0n)).to.equal(0n)
    expect(body.postings[0]).to.include({ account: 'tenant_receivable', amount: '7.20' })
    expect([body.line.quantity, body.rated_now?.quantity]).to.deep.equal(['12', '14'])
    const [adjustment] = (await billing.invoice('acme', '2026-12')).lines.filter(({ kind }) => kind === 'adjustment')
    const corrected = await explain(adjustment?.id ?? '', '2026-12')
    expect([corrected.body.line.quantity, corrected.body.usage.quantity]).to.deep.equal(['2', '14'])
  })

  it('is a CSV with the amounts of the JSON, live and issued', async () => {
    for (const period of ['2026-11', '2026-12']) {
      const invoice = await billing.invoice('acme', period)
      const answer = await billing.call('GET', `/billing/invoice/acme.csv?period=${period}`, {
        as: billing.tokens.acme,
      })
      const table = answer.bytes
        .toString('utf8')
        .trimEnd()
        .split('\r\n')
        .map((row) => row.split(','))
      expect(table.filter(([row]) => row === 'line').map((row) => row.at(-1))).to.deep.equal(
        invoice.lines.map(({ amount }) => amount),
      )
      const last = Object.fromEntries(table.map((row) => [row[0], row.at(-1)]))
      expect([last.subtotal, last.tax, last.total]).to.deep.equal([invoice.subtotal, invoice.tax, invoice.total])
    }
  })

  it('is a PDF, the same bytes each time for an issued invoice', async () => {
    const pdf = (period: string) =>
      billing.call('GET', `/billing/invoice/acme.pdf?period=${period}`, { as: billing.tokens.acme })
    const [once, again, live] = [await pdf('2026-11'), await pdf('2026-11'), await pdf('2026-12')]
    expect(once.headers.get('content-type')).to.equal('application/pdf')
    expect(once.headers.get('content-disposition')).to.equal('attachment; filename="ATOM-000001.pdf"')
    expect(once.bytes.subarray(0, 5).toString()).to.equal('%PDF-')
    expect(once.bytes.equals(again.bytes)).to.equal(true)
    expect(live.bytes.equals(once.bytes)).to.equal(false)
  })

  it('is nobody else’s, and 404 for a line, a format or a month that is none', async () => {
    const [line] = (await billing.invoice('acme', '2026-11')).lines
    expect((await explain(line?.id ?? '', '2026-11', billing.tokens.acme)).status).to.equal(200)
    expect((await explain(line?.id ?? '', '2026-11', billing.tokens.globex)).status).to.equal(404)
    expect((await explain('nothing', '2026-11')).status).to.equal(404)
    expect((await get('/billing/invoice/acme.xls?period=2026-11')).status).to.equal(404)
    expect((await get('/billing/close/2026-13')).status).to.equal(400)
    expect((await get('/billing/close/2026-11', billing.tokens.acme)).status).to.equal(403)
  })
})
