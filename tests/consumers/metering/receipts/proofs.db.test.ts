import { createHash } from 'node:crypto'
import { expect } from 'chai'
import type { InclusionProof } from '../../../../sdk/typescript/answers.ts'
import { verifyInclusion } from '../../../../sdk/typescript/verify-inclusion.ts'
import {
  type Answer,
  type Billing,
  openBilling,
  type Problem,
  perUnit,
  type Receipt,
  type Record_,
} from '../fixture.ts'

type Line = { id: string; kind: string; quantity: string; usage_root?: string; usage_reports?: number }
type Explained = {
  usage: { root: string; contributions: number; quantity: string; records: number }
  reports: {
    report_id: string
    reporter: string
    received_at: string
    quantity: string
    records: number
    root: string
    retained?: boolean
    retained_until?: string
    events?: { index: number; record: Record_ }[]
  }[]
  next: string | null
}
type Lines = Receipt & { lines: { invoice: string; number: string; line_id: string }[] }

describe('consumers/metering: from a line to the events and up again', function () {
  this.timeout(60_000)
  let billing: Billing
  let first: Answer
  let second: Answer
  let both: Answer
  before(async () => {
    billing = await openBilling('2026-11-10T10:00:00Z')
    const { tokens } = billing
    await billing.sell('one', perUnit('0.50'), ['acme', 'globex'])
    first = await billing.report([
      record('a', { quantity: '-1' }),
      record('b', { time: '2026-11-02T10:05:00Z' }),
      record('c', { quantity: '2.50', time: '2026-11-02T10:55:00+00:00', dimensions: { said: 'say "hi"\\ é \u2028' } }),
      record('d', { time: '2026-11-09T23:59:59Z' }),
      record('e', { meter: 'walks' }),
    ])
    // A repeat beside a new one of its hour.
    const hour = '2026-11-02T10:05:00Z'
    second = await billing.report([record('b', { time: hour }), record('f', { time: hour }), record('g')])
    both = await billing.report(
      [record('h', { tenant: 'acme' }), record('i', { tenant: 'globex' }), record('j', { tenant: 'acme' })],
      tokens.demo,
    )
    await billing.counted()
  })
  after(() => billing.close())

  const get = <B>(path: string, as = billing.tokens.acme) => billing.call<B>('GET', path, { as })
  const proof = (id: string, index: number, more = '', as = billing.tokens.acme) =>
    get<InclusionProof & Problem>(`/usage/receipts/${id}/proof?index=${index}${more}`, as)
  const receiptOf = ({ report_id, receipt }: Answer) => ({ report_id, ...receipt })
  const line = async (period: string, kind = 'usage') =>
    (await billing.invoice('acme', period)).lines.find((one) => one.kind === kind) as unknown as Line
  const explain = async (id: string, period: string, more = '', as = billing.tokens.acme) =>
    (await get<Explained>(`/billing/invoice/acme/lines/${id}/explain?period=${period}${more}`, as)).body

  it('adds up to what was counted, hour by hour', async () => {
    const [{ n } = { n: -1 }] = await billing.owner<{ n: number }>(
      `select count(*)::int as n from metering.rollups r full join (
         select tenant, hour, meter, package, dimensions_key, sum(quantity) as quantity, sum(records) as records
         from metering.contributions group by 1, 2, 3, 4, 5) c using (tenant, hour, meter, package, dimensions_key)
       where c.quantity is distinct from r.change or c.records is distinct from r.records`,
    )
    expect(n).to.equal(0)
  })

  it('proves a record up to its receipt while no invoice has billed it', async () => {
    for (const [answer, index] of [
      [first, 1],
      [first, 2],
      [first, 4],
      [second, 0],
      [second, 2],
    ] as const) {
      const { status, body } = await proof(answer.report_id, index)
      expect(status, JSON.stringify(body)).to.equal(200)
      expect(verifyInclusion(body, { receipt: receiptOf(answer) })).to.include({ by: 'report' })
      expect(() =>
        verifyInclusion(body, { receipt: { ...receiptOf(answer), count: answer.receipt.count + 1 } }),
      ).to.throw()
    }
  })

  it('proves a report of several tenants to its reporter, and to a tenant once it is billed', async () => {
    const { body } = await proof(both.report_id, 1, '', billing.tokens.demo)
    expect(verifyInclusion(body, { receipt: receiptOf(both) })).to.include({ by: 'report' })
    const refused = await proof(both.report_id, 0)
    expect([refused.status, refused.body.code]).to.deep.equal([409, 'proof_unavailable'])
    expect((await proof(both.report_id, 1)).status, 'the record of another tenant').to.equal(404)
  })

  it('has no proof of what was refused, of no report, and for nobody else', async () => {
    expect((await proof(first.report_id, 0)).body.detail).to.contain('not accepted')
    expect((await proof(first.report_id, 5)).status).to.equal(404)
    expect((await proof('0192f6a0-0000-7000-8000-000000000001', 0)).status).to.equal(404)
    expect((await proof(first.report_id, 1, '', billing.tokens.globex)).status).to.equal(404)
    for (const query of ['index=-1', 'index=1.5', '', 'index=1&to=moon']) {
      const { status, body } = await get<Problem>(`/usage/receipts/${first.report_id}/proof?${query}`)
      expect([status, body.code], query).to.deep.equal([400, 'parameter_invalid'])
    }
  })

  it('puts a root on each metered line of an issued invoice, over the contributions of its reports', async () => {
    const live = await line('2026-11')
    expect(live).to.not.have.property('usage_root')
    const before = await explain(live.id, '2026-11')
    billing.clock.set('2026-12-01T02:00:00Z')
    await billing.issueDue()
    const issued = await line('2026-11')
    expect(issued.usage_reports).to.equal(before.usage.contributions)
    expect(issued.usage_root).to.equal(before.usage.root)
    expect((await explain(issued.id, '2026-11')).usage.root).to.equal(issued.usage_root)
  })

  it('explains a line down to its reports, page by page, and their events', async () => {
    const { id, quantity } = await line('2026-11')
    const whole = await explain(id, '2026-11', '&events=true')
    expect(whole.reports.map(({ report_id }) => report_id)).to.deep.equal(
      [first, second, both].map(({ report_id }) => report_id).sort(),
    )
    const own = whole.reports.find(({ report_id }) => report_id === first.report_id)
    expect(own).to.include({ quantity: '4.5', records: 3, root: first.receipt.root, reporter: 'acme', retained: true })
    expect(own?.events?.map(({ index, record: { id } }) => [index, id])).to.deep.equal([
      [1, 'b'],
      [2, 'c'],
      [3, 'd'],
    ])
    const repeated = whole.reports.find(({ report_id }) => report_id === second.report_id)
    expect(
      repeated?.events?.map(({ index }) => index),
      'b counted with the first report',
    ).to.deep.equal([1, 2])
    const sum = whole.reports.reduce((all, one) => all + Number(one.quantity), 0)
    expect(sum).to.equal(Number(quantity))
    const start = await explain(id, '2026-11', '&limit=2')
    const end = await explain(id, '2026-11', `&limit=2&cursor=${start.next}`)
    expect([...start.reports, ...end.reports].map(({ report_id }) => report_id)).to.deep.equal(
      whole.reports.map(({ report_id }) => report_id),
    )
    expect([start.reports.length, end.reports.length, end.next]).to.deep.equal([2, 1, null])
  })

  it('leads from a receipt up to the lines that billed it, for those who may see them', async () => {
    const issued = await line('2026-11')
    const up = async (as?: string) => (await get<Lines>(`/usage/receipts/${both.report_id}`, as)).body.lines
    expect((await up()).map(({ number, line_id }) => [number, line_id])).to.deep.equal([['ATOM-000001', issued.id]])
    expect((await up(billing.tokens.finance)).map(({ number }) => number)).to.deep.equal(['ATOM-000001', 'ATOM-000002'])
    expect(await up(billing.tokens.demo)).to.deep.equal([])
  })

  it('proves a record up to the invoice, and refuses the proof with any byte changed', async () => {
    const invoice = (await get('/billing/invoice/acme?period=2026-11')).bytes
    const { body } = await proof(first.report_id, 2)
    const sent = { id: 'c', meter: 'runs', package: 'one', quantity: '02.5', time: '2026-11-02T12:55:00+02:00' }
    const said = { dimensions: { said: 'say "hi"\\ é \u2028' } }
    const shown = verifyInclusion(body, { invoice, record: { ...sent, ...said }, receipt: receiptOf(first) })
    expect(shown).to.include({ by: 'invoice', number: 'ATOM-000001', quantity: '3.5', hour: '2026-11-02T10:00:00Z' })
    expect(shown).to.include({ sha256: createHash('sha256').update(invoice).digest('hex') })
    expect(() => verifyInclusion(body, { record: sent })).to.throw('/record/dimensions')
    expect(() => verifyInclusion(body, { invoice: Buffer.concat([invoice, Buffer.from(' ')]) })).to.throw(
      '/invoice/sha256',
    )
    const bytes = Buffer.from(JSON.stringify(body))
    let refused = 0
    for (const bit of [1, 32])
      for (let at = 0; at < bytes.length; at++) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] as number) ^ bit
        try {
          verifyInclusion(JSON.parse(new TextDecoder('utf8', { fatal: true }).decode(changed)))
        } catch {
          refused += 1
        }
      }
    expect(refused).to.equal(2 * bytes.length)
  })

  it('still proves up to the report when asked, and every tenant its own of a shared one', async () => {
    expect(
      verifyInclusion((await proof(first.report_id, 1, '&to=report')).body, { receipt: receiptOf(first) }).by,
    ).to.equal('report')
    for (const index of [1, 2])
      expect(verifyInclusion((await proof(second.report_id, index)).body).by).to.equal('invoice')
    const repeat = (await proof(second.report_id, 0)).body
    expect(verifyInclusion(repeat, { receipt: receiptOf(second) }).by, 'a repeat is in no invoice').to.equal('report')
    for (const index of [0, 2])
      expect(verifyInclusion((await proof(both.report_id, index)).body).by).to.equal('invoice')
    const other = await proof(both.report_id, 1, '', billing.tokens.globex)
    expect(verifyInclusion(other.body)).to.include({ by: 'invoice', tenant: 'globex' })
  })

  it('leaves a root as it is when usage comes late, and puts all of the month under the next one', async () => {
    const issued = await line('2026-11')
    const late = await billing.report([record('late')])
    await billing.counted()
    expect((await explain(issued.id, '2026-11')).usage.root).to.equal(issued.usage_root)
    expect((await get<Lines>(`/usage/receipts/${late.report_id}`)).body.lines).to.deep.equal([])
    billing.clock.set('2027-01-01T02:00:00Z')
    await billing.issueDue()
    const adjusted = await line('2026-12', 'adjustment')
    expect(adjusted.usage_reports).to.equal((issued.usage_reports ?? 0) + 1)
    expect(verifyInclusion((await proof(late.report_id, 0)).body)).to.include({ number: 'ATOM-000003' })
    expect(verifyInclusion((await proof(first.report_id, 1)).body)).to.include({ number: 'ATOM-000001' })
    const up = (await get<Lines>(`/usage/receipts/${first.report_id}`)).body.lines
    expect(up.map(({ number }) => number)).to.deep.equal(['ATOM-000001', 'ATOM-000003'])
  })

  it('says so when the log does not hold the events any more', async () => {
    const { id } = await line('2026-11')
    await billing.owner("delete from platform.event_log where topic = 'atom.usage'")
    const { reports } = await explain(id, '2026-11', '&events=true')
    expect(reports[0]).to.include({ retained: false, retained_until: '2026-12-15T10:00:00.000Z' })
    expect(reports[0]).to.not.have.property('events')
    const { status, body } = await proof(first.report_id, 1)
    expect([status, body.code]).to.deep.equal([410, 'usage_expired'])
  })
})

const record = (id: string, more: Partial<Record_> = {}): Record_ => ({
  id,
  meter: 'runs',
  package: 'one',
  quantity: '1',
  time: '2026-11-10T09:00:00Z',
  ...more,
})
