import { expect } from 'chai'
import { countReport } from '../../../consumers/metering/count-report.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { sha256 } from '../../support/database.ts'
import { rejected } from '../../support/rejected.ts'
import { type Billing, type Invoice, openBilling, type Problem, perUnit } from './fixture.ts'

const taxed = perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] })
const used = (id: string, time: string, quantity = '1') => ({
  id,
  meter: 'runs',
  quantity,
  time,
  package: 'restart-workers',
})
type Entry = { tenant: string; posting_id: string; account: string; partner: string | null; amount: string }

describe('consumers/metering: invoices', () => {
  let billing: Billing
  beforeEach(async () => {
    billing = await openBilling('2026-10-20T10:00:00Z')
    await billing.sell('restart-workers', taxed, ['acme', 'globex'])
  })
  afterEach(() => billing.close())

  const at = (time: string) => billing.clock.set(time)
  const report = async (time: string, quantity: string, id = `${time}/${quantity}`, as?: string) => {
    await billing.report([used(id, time, quantity)], as)
    await billing.counted()
  }
  const events = async (type: string) =>
    (
      await billing.owner<{ value: Buffer }>(
        "select value from platform.event_log where headers->>'ce_type' = ? order by xid, pos",
        [type],
      )
    ).map(({ value }) => JSON.parse(value.toString()))
  const ledger = () =>
    billing.owner<Entry>(
      'select tenant, posting_id, account, partner, amount::text from metering.ledger order by posting_id, entry',
    )

  describe('live', () => {
    it('follow the usage, and looking at one changes nothing', async () => {
      expect(await billing.invoice('acme')).to.deep.include({
        status: 'gathering',
        period: '2026-10',
        total: '0.00',
        amount_due: '0.00',
        credits_applied: '0.00',
      })
      expect(await billing.owner('select 1 from metering.invoices')).to.deep.equal([])
      await report('2026-10-20T09:00:00Z', '3')
      const invoice = await billing.invoice('acme')
      expect(invoice).to.deep.include({ subtotal: '1.50', tax: '0.30', total: '1.80', amount_due: '1.80' })
      expect(invoice.lines).to.have.length(1)
      expect(invoice.lines[0]).to.include({
        kind: 'usage',
        meter: 'runs',
        package: 'restart-workers',
        quantity: '3',
        amount: '1.50',
        period: '2026-10',
      })
      expect((await billing.invoice('acme')).id).to.equal(invoice.id)
    })

    it('are announced once after many reports, with the whole state', async () => {
      for (let n = 0; n < 5; n++) await report('2026-10-20T09:00:00Z', '1', `many-${n}`)
      expect(await billing.refresh()).to.equal(1)
      expect(await billing.refresh()).to.equal(0)
      const [event, ...more] = await events('invoice.updated')
      expect(more).to.deep.equal([])
      expect(invoiceUpdated.problem(event)).to.equal(null)
      expect(event).to.deep.include({
        tenant: 'acme',
        period: '2026-10',
        status: 'gathering',
        total: '3.00',
        usage: [{ meter: 'runs', package: 'restart-workers', quantity: '5', amount: '2.50' }],
      })
      expect(event.shares).to.deep.equal([
        { partner: 'demo', gross: '3.00', partner_share: '2.00', platform_fee: '0.50', tax: '0.50' },
      ])
    })

    it('name usage that nothing prices instead of hiding it', async () => {
      await billing.report([{ ...used('u', '2026-10-20T09:00:00Z'), meter: 'walks' }])
      await billing.counted()
      expect((await billing.invoice('acme')).unpriced).to.deep.equal([
        { meter: 'walks', package: 'restart-workers', quantity: '1' },
      ])
    })

    it('belong to the month of the event, not of its arrival', async () => {
      at('2026-11-03T10:00:00Z')
      await report('2026-10-31T23:59:59.999Z', '2')
      await report('2026-11-01T00:00:00Z', '4')
      expect((await billing.invoice('acme', '2026-10')).subtotal).to.equal('1.00')
      expect((await billing.invoice('acme', '2026-11')).subtotal).to.equal('2.00')
    })
  })

  describe('issued', () => {
    const issueOctober = async () => {
      await report('2026-10-20T09:00:00Z', '3')
      at('2026-11-01T01:00:00Z')
      return billing.issueDue()
    }

    it('have a number, stored bytes and one balanced posting, and are announced', async () => {
      expect(await issueOctober()).to.deep.equal(['ATOM-000001'])
      const reply = await billing.call<Invoice>('GET', '/billing/invoice/acme?period=2026-10', {
        as: billing.tokens.acme,
      })
      expect(reply.body).to.deep.include({ status: 'issued', number: 'ATOM-000001', total: '1.80' })
      const [stored] = await billing.owner<{ body: Buffer; sha256: string }>(
        'select body, sha256 from metering.invoices',
      )
      expect(reply.bytes.equals(stored?.body as Buffer)).to.equal(true)
      expect([stored?.sha256, reply.headers.get('etag')]).to.deep.equal([
        sha256(reply.bytes),
        `"sha256:${sha256(reply.bytes)}"`,
      ])
      expect((await ledger()).map(({ account, partner, amount }) => [account, partner, amount])).to.deep.equal([
        ['tenant_receivable', null, '1.80'],
        ['partner_payable', 'demo', '-1.20'],
        ['platform_fee', 'demo', '-0.30'],
        ['tax_payable', 'demo', '-0.30'],
      ])
      const [event] = await events('invoice.issued')
      expect(invoiceIssued.problem(event)).to.equal(null)
      expect(event).to.include({ number: 'ATOM-000001', sha256: stored?.sha256, total: '1.80' })
    })

    it('only after their collection window', async () => {
      await report('2026-10-20T09:00:00Z', '3')
      for (const early of ['2026-10-31T23:59:59Z', '2026-11-01T00:59:59.999Z']) {
        at(early)
        expect(await billing.issueDue(), early).to.deep.equal([])
        const { status, body } = await billing.call<Problem>('POST', '/billing/invoices/issue', {
          as: billing.tokens.finance,
          json: { period: '2026-10' },
        })
        expect([status, body.code]).to.deep.equal([409, 'period_open'])
      }
      at('2026-11-01T00:10:00Z')
      const skipped = await billing.call<{ issued: string[] }>('POST', '/billing/invoices/issue', {
        as: billing.tokens.finance,
        json: { period: '2026-10', collection: 'skip' },
      })
      expect(skipped.body.issued).to.deep.equal(['ATOM-000001'])
    })

    it('once, although two issue at the same time, with numbers without a gap', async () => {
      await report('2026-10-20T09:00:00Z', '3')
      await report('2026-10-20T09:00:00Z', '5', 'g', billing.tokens.globex)
      at('2026-11-01T01:00:00Z')
      const runs = await Promise.all(Array.from({ length: 6 }, () => billing.issue('2026-10')))
      expect(runs.flat().sort()).to.deep.equal(['ATOM-000001', 'ATOM-000002'])
      expect(await billing.issueDue()).to.deep.equal([])
      expect(await events('invoice.issued')).to.have.length(2)
      expect(new Set((await ledger()).map(({ posting_id }) => posting_id)).size).to.equal(2)
    })

    it('give their number back when they fail half-way', async () => {
      await report('2026-10-20T09:00:00Z', '3')
      at('2026-11-01T01:00:00Z')
      await billing.owner("alter table metering.ledger add constraint closed check (account <> 'tax_payable')")
      expect((await rejected(billing.issue('2026-10'))).code).to.equal('23514')
      await billing.owner('alter table metering.ledger drop constraint closed')
      expect(await billing.issue('2026-10')).to.deep.equal(['ATOM-000001'])
    })

    it('never change, in the service or below it', async () => {
      await issueOctober()
      const before = (await billing.call('GET', '/billing/invoice/acme?period=2026-10', { as: billing.tokens.acme }))
        .bytes
      await report('2026-10-20T09:30:00Z', '7')
      await billing.refresh()
      expect(
        (await billing.call('GET', '/billing/invoice/acme?period=2026-10', { as: billing.tokens.acme })).bytes.equals(
          before,
        ),
      ).to.equal(true)
      for (const sql of [
        "update metering.invoices set body = 'x' where period = '2026-10'",
        "delete from metering.invoices where period = '2026-10'",
        'update metering.ledger set amount = 0',
        'delete from metering.ledger',
      ])
        expect((await rejected(billing.owner(sql))).message, sql).to.contain('never change')
    })

    it('balance to the minor unit, or are refused by the database', async () => {
      await issueOctober()
      for (const { posting_id } of await ledger()) {
        const [{ sum } = { sum: '' }] = await billing.owner<{ sum: string }>(
          'select sum(amount)::text as sum from metering.ledger where posting_id = ?',
          [posting_id],
        )
        expect(decimal(sum)).to.equal(0n)
      }
      const unbalanced = billing.owner(
        'insert into metering.ledger select tenant, gen_random_uuid(), 0, invoice_id, account, partner, currency, 5, posted_at from metering.ledger where entry = 0',
      )
      expect((await rejected(unbalanced)).message).to.contain('does not balance')
    })

    it('not for a month without a line', async () => {
      await billing.owner("insert into platform.orgs values ('idle', 'idle', 'member', now())")
      const idle = await billing.organisations.token('idle', 'tenant')
      await report('2026-10-20T09:00:00Z', '1', 'i', idle)
      at('2026-11-01T01:00:00Z')
      expect(await billing.issueDue()).to.deep.equal([])
    })
  })

  describe('late usage', () => {
    const linesOf = async (tenant: string, of: string, through: string[]) => {
      const total = new Map<string, bigint>()
      for (const period of through)
        for (const line of (await billing.invoice(tenant, period)).lines)
          if (line.period === of) total.set(line.id, (total.get(line.id) ?? 0n) + decimal(line.amount))
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
      expect(
        (await billing.invoice('acme', '2026-12')).lines.filter(({ kind }) => kind === 'adjustment'),
      ).to.deep.equal([])
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
      expect(
        (await billing.invoice('acme', '2026-11')).lines.filter(({ kind }) => kind === 'adjustment'),
      ).to.deep.equal([])
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
        if ((await billing.invoice('acme', period)).lines.some(({ kind }) => kind === 'adjustment'))
          carrying.push(period)
      expect(carrying).to.deep.equal(['2026-11'])
      at('2026-12-01T01:00:00Z')
      await billing.issueDue()
      expect(await linesOf('acme', '2026-10', ['2026-10', '2026-11', '2026-12'])).to.deep.equal(['3.50'])
    })
  })

  describe('are seen by', () => {
    it('their tenant and finance; for anybody else they are like absent', async () => {
      await report('2026-10-20T09:00:00Z', '3')
      const ask = (as: string, path = '/billing/invoice/acme') =>
        billing.call<Problem & { invoices: object[] }>('GET', path, { as })
      expect((await ask(billing.tokens.acme)).status).to.equal(200)
      expect((await ask(billing.tokens.finance)).status).to.equal(200)
      const other = await ask(billing.tokens.globex)
      const absent = await ask(billing.tokens.globex, '/billing/invoice/nobody')
      expect([other.status, other.body.code, other.body.detail]).to.deep.equal([404, 'not_found', absent.body.detail])
      expect((await ask(billing.tokens.demo)).status, 'the partner that earns').to.equal(404)
      const listed = async (as: string) => (await ask(as, '/billing/invoices')).body.invoices.length
      expect([
        await listed(billing.tokens.acme),
        await listed(billing.tokens.globex),
        await listed(billing.tokens.finance),
      ]).to.deep.equal([1, 0, 1])
      const issue = await billing.call<Problem>('POST', '/billing/invoices/issue', {
        as: billing.tokens.acme,
        json: { period: '2026-09' },
      })
      expect([issue.status, issue.body.code]).to.deep.equal([403, 'forbidden'])
    })

    it('a partner as what it earns, without the names of its tenants', async () => {
      await report('2026-10-20T09:00:00Z', '3')
      await report('2026-10-20T09:00:00Z', '5', 'g', billing.tokens.globex)
      at('2026-11-01T01:00:00Z')
      await billing.issueDue()
      type Page = { entries: Entry[]; next: string | null }
      const first = await billing.call<Page>('GET', '/billing/ledger?limit=1', { as: billing.tokens.demo })
      const second = await billing.call<Page>('GET', `/billing/ledger?limit=1&cursor=${first.body.next}`, {
        as: billing.tokens.demo,
      })
      const entries = [...first.body.entries, ...second.body.entries]
      expect(entries.map(({ account, amount }) => [account, amount]).sort()).to.deep.equal([
        ['partner_payable', '-1.20'],
        ['partner_payable', '-2.00'],
      ])
      expect(JSON.stringify(entries)).to.not.match(/acme|globex/)
      expect(second.body.next).to.equal(null)
      expect(
        (await billing.call<Page>('GET', '/billing/ledger', { as: billing.tokens.finance })).body.entries,
      ).to.have.length(8)
      expect((await billing.call('GET', '/billing/ledger', { as: billing.tokens.acme })).status).to.equal(403)
    })

    it('nobody by a month or a tenant that cannot be', async () => {
      for (const period of ['2026-13', '2026-00', '26-10', 'x', '']) {
        const { status, body } = await billing.call<Problem>('GET', `/billing/invoice/acme?period=${period}`, {
          as: billing.tokens.acme,
        })
        expect([status, body.code], period).to.deep.equal([400, 'parameter_invalid'])
      }
      expect(
        (await billing.call('GET', '/billing/invoice/acme?period=2020-01', { as: billing.tokens.acme })).status,
      ).to.equal(404)
      expect((await billing.call('GET', '/billing/invoice/%00', { as: billing.tokens.finance })).status).to.be.oneOf([
        400, 404,
      ])
    })
  })
})
