import { expect } from 'chai'
import { decimal } from '../../../platform/decimal.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'
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
      expect(await billing.issue('2026-10')).to.deep.equal([])
      expect([...billing.deps.failing.keys()]).to.deep.equal(['acme'])
      await billing.owner('alter table metering.ledger drop constraint closed')
      expect(await billing.issue('2026-10')).to.deep.equal(['ATOM-000001'])
      expect(billing.deps.failing.size).to.equal(0)
    })

    it('are issued for a fixed fee although the month had no usage', async () => {
      const charges = [{ id: 'fee', model: 'flat' as const, flat_amount: '100' }]
      const flat = { name: 'flat', currency: 'USD', charges }
      await billing.sell('fixed', flat, ['globex'], '2026-11-05T00:00:00Z')
      at('2026-12-01T01:00:00Z')
      await billing.issueDue()
      const [stored] = await billing.owner<{ total: string }>(
        "select convert_from(body, 'UTF8')::json ->> 'total' as total from metering.invoices where tenant = 'globex' and period = '2026-11'",
      )
      expect(stored).to.deep.equal({ total: '100.00' })
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
        `insert into metering.ledger (tenant, posting_id, entry, kind, invoice_id, account, currency, amount, posted_at)
         select tenant, gen_random_uuid(), 0, kind, invoice_id, account, currency, 5, posted_at
         from metering.ledger where entry = 0`,
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
