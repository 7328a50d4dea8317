import { expect } from 'chai'
import type { Billing, Problem } from '../fixture.ts'
import { type Life, openLife } from './fixture.ts'

type Journal = {
  totals: object[]
  accounts: { account: string; debit: string; credit: string; balance: string }[]
  entries: { posting_id: string; debit: string; credit: string; document: string; kind: string }[]
  next: string | null
}

describe('consumers/metering/life: journal, contracts and closing', () => {
  let life: Life
  let billing: Billing
  beforeEach(async () => {
    life = await openLife()
    billing = life.billing
  })
  afterEach(() => billing.close())
  const ask = <B>(path: string, as = billing.tokens.finance) => billing.call<B>('GET', path, { as })

  describe('the journal', () => {
    beforeEach(async () => {
      const { id } = await life.issueBoth()
      await life.act(id, 'credit-notes', { reason: 'a', amount: '6' })
      await life.act(id, 'payments', { amount: '6', paid_at: '2026-11-01T00:59:00Z', reference: 'bank' })
    })

    it('has every posting of its month with its document, page by page, and balances', async () => {
      const first = (await ask<Journal>('/billing/journal/2026-11?limit=9')).body
      const second = (await ask<Journal>(`/billing/journal/2026-11?limit=9&cursor=${first.next}`)).body
      expect(first.totals).to.deep.equal([{ currency: 'USD', debit: '48.00', credit: '48.00' }])
      expect(first.accounts.map(({ account, balance }) => [account, balance])).to.deep.equal([
        ['cash', '6.00'],
        ['partner_payable', '-20.00'],
        ['platform_fee', '-5.00'],
        ['tax_payable', '-5.00'],
        ['tenant_receivable', '24.00'],
      ])
      const entries = [...first.entries, ...second.entries]
      expect(entries).to.have.length(14)
      expect([...new Set(entries.map(({ kind, document }) => `${kind} ${document}`))].slice(0, 3)).to.deep.equal([
        'invoice ATOM-000001',
        'invoice ATOM-000002',
        'credit_note ATOM-CN-000001',
      ])
      expect((await ask<Journal>('/billing/journal/2026-10')).body.entries).to.deep.equal([])
    })

    it('is the same as CSV, with a row of totals for each account', async () => {
      const { bytes, headers } = await ask('/billing/journal/2026-11.csv')
      const rows = bytes.toString().trimEnd().split('\r\n')
      expect(rows[0]).to.equal('posting_id,date,kind,account,partner,tenant,debit,credit,currency,document')
      expect(rows).to.have.length(1 + 14 + 5 + 1)
      expect(rows.at(-1)).to.equal('total,,,,,,48.00,48.00,USD,')
      expect(headers.get('content-disposition')).to.contain('journal-2026-11.csv')
    })

    it('does not leave while a posting does not balance, and names it', async () => {
      await billing.owner('alter table metering.ledger disable trigger ledger_balances')
      const [broken] = await billing.owner<{ posting_id: string }>(
        `insert into metering.ledger (tenant, posting_id, entry, kind, invoice_id, account, currency, amount, posted_at)
         select tenant, gen_random_uuid(), 0, kind, invoice_id, account, currency, 5, posted_at
         from metering.ledger where entry = 0 limit 1 returning posting_id`,
      )
      for (const path of ['2026-11', '2026-11.csv']) {
        const { status, body } = await ask<Problem>(`/billing/journal/${path}`)
        expect([status, body.code]).to.deep.equal([409, 'journal_unbalanced'])
        expect(body.detail).to.contain(broken?.posting_id)
      }
      expect((await ask('/billing/journal/2026-10')).status).to.equal(200)
    })

    it('is for finance', async () => {
      expect((await ask('/billing/journal/2026-11', billing.tokens.demo)).status).to.equal(403)
      expect((await ask('/billing/journal/2026-13')).status).to.equal(400)
    })
  })

  describe('a contract', () => {
    const make = (json: object, as = billing.tokens.finance) =>
      billing.call<Problem>('POST', '/billing/contracts', { as, json })
    const ninety = { partner: 'demo', partner_share_percent: '90', effective_from: '2026-11-01' }

    it('shares the months from its first on, also when they are billed late; earlier ones keep theirs', async () => {
      expect((await make(ninety)).status).to.equal(201)
      expect((await make({ ...ninety, partner_share_percent: '90.0' })).status, 'again').to.equal(200)
      await life.issueBoth()
      await life.report('late', '2')
      const time = '2026-11-01T00:30:00Z'
      await billing.report([{ id: 'new', meter: 'runs', quantity: '4', time, package: 'restart-workers' }])
      await billing.counted()
      billing.clock.set('2026-12-01T01:00:00Z')
      await billing.issueDue()
      const earned = await billing.owner<{ amount: string }>(
        "select (-amount)::text as amount from metering.ledger where account = 'partner_payable' order by posted_at, tenant",
      )
      // 80 % of 10.00 and of 20.00; then 80 % of the late 1.00 and 90 % of the new 2.00.
      expect(earned.map(({ amount }) => amount)).to.deep.equal(['8.00', '16.00', '2.60'])
    })

    it('never reaches back, and is not changed', async () => {
      expect((await make(ninety)).status).to.equal(201)
      const other = await make({ ...ninety, partner_share_percent: '70' })
      expect([other.status, other.body.code]).to.deep.equal([409, 'contract_exists'])
      for (const effective_from of ['2026-10-01', '2026-09-01']) {
        const { status, body } = await make({ ...ninety, effective_from })
        expect([status, body.code]).to.deep.equal([409, 'contract_in_past'])
      }
      expect((await make({ ...ninety, effective_from: '2026-11-02' })).status).to.equal(400)
      expect((await make({ ...ninety, partner_share_percent: '100.1' })).status).to.equal(400)
      expect((await make({ ...ninety, partner: 'nobody' })).status).to.equal(404)
      expect((await make(ninety, billing.tokens.demo)).status).to.equal(403)
    })

    it('is seen by its partner and finance', async () => {
      await make(ninety)
      const seen = async (as: string) =>
        (await ask<{ contracts: object[] }>('/billing/contracts', as)).body.contracts?.map((one) => Object.keys(one))
      const members = ['partner', 'partner_share_percent', 'effective_from', 'made_at']
      expect(await seen(billing.tokens.demo)).to.deep.equal([members])
      expect(await seen(billing.tokens.finance)).to.deep.equal([[...members, 'made_by']])
      const other = await billing.organisations.token('acme', 'partner')
      expect(await seen(other)).to.deep.equal([])
    })
  })

  it('closing a month counts what waits, is parked, failed or was not sent, each with where to see it', async () => {
    type Close = { closed: boolean; checks: { name: string; count: number; links?: Record<string, string> }[] }
    const close = async () => (await ask<Close>('/billing/close/2026-10')).body
    await billing.owner(`update metering.plans set body = body || '{"approval": "manual"}'`)
    await life.report('a', '20')
    await life.report('g', '40', billing.tokens.globex)
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.issueDue()
    const counts = async () => Object.fromEntries((await close()).checks.map(({ name, count }) => [name, count]))
    expect(await counts()).to.include({ unbilled: 2, awaiting_approval: 2, parked: 0, issue_failed: 0, unsent: 0 })
    const [waiting] = await life.listed('state=awaiting_approval')
    await life.act(waiting?.id ?? '', 'approve')
    expect(await counts()).to.include({ unbilled: 1, awaiting_approval: 1, unsent: 1 })
    const { checks } = await close()
    const link = checks.find(({ name }) => name === 'awaiting_approval')?.links?.invoices ?? ''
    expect((await ask<{ invoices: object[] }>(link)).body.invoices).to.have.length(1)
    const [other] = await life.listed('state=awaiting_approval')
    await life.act(other?.id ?? '', 'approve')
    expect([(await close()).closed, (await counts()).unsent], 'books wait for no collector').to.deep.equal([true, 2])
    for (const { id } of await life.listed('state=issued')) await life.act(id, 'void', { reason: 'a' })
    expect((await counts()).unsent, 'what is void need not be sent').to.equal(0)
  })
})
