import { expect } from 'chai'
import type { Problem } from '../fixture.ts'
import { type Credits, openCredits } from './fixture.ts'

type Note = {
  id: string
  kind: string
  total: string
  credits?: { id: string; amount: string }[]
  credits_returned?: string
}
type Shown = { id: string; state: string; credited: string; returned: string; actions: string[] }

describe('consumers/metering/credits: what comes back of an invoice', function () {
  this.timeout(30_000)
  let credits: Credits
  beforeEach(async () => {
    credits = await openCredits()
  })
  afterEach(() => credits.close())

  const act = <B = Problem>(id: string, what: string, json: object) =>
    credits.billing.call<B>('POST', `/billing/invoices/${id}/${what}`, { as: credits.billing.tokens.finance, json })
  const voided = async (id: string, rebill = false) => {
    const { status, body } = await act<{ invoice: Shown; credit_note: Note }>(id, 'void', { reason: 'wrong', rebill })
    expect(status, JSON.stringify(body)).to.equal(200)
    return body
  }
  const credit = async (id: string, amount: string) => {
    const { status, body } = await act<Note>(id, 'credit-notes', { reason: 'a part', amount })
    expect(status, JSON.stringify(body)).to.equal(201)
    return body
  }
  const shown = async (id: string) =>
    (await credits.billing.call<Shown>('GET', `/billing/invoices/${id}`, { as: credits.billing.tokens.finance })).body
  /** What the ledger says is owed for an invoice. */
  const owed = async (id: string) => {
    const [sum] = await credits.billing.owner<{ sum: string }>(
      `select sum(amount)::numeric(40,2)::text as sum from metering.ledger
       where invoice_id = ? and account = 'tenant_receivable'`,
      [id],
    )
    return sum?.sum
  }

  it('a void gives each credit what it paid, and nothing is owed for the invoice or by the wallet', async () => {
    const first = await credits.grant({ amount: '5', reference: 'a', priority: 1 })
    const second = await credits.grant({ amount: '4', reference: 'b', priority: 2 })
    await credits.use('20')
    const invoice = await credits.issueOctober()
    expect([invoice.total, invoice.amount_due]).to.deep.equal(['12.00', '3.00'])
    const { credit_note: note, invoice: after } = await voided(invoice.id)
    expect(note).to.deep.include({
      total: '12.00',
      credits_returned: '9.00',
      credits: [
        { id: second.id, amount: '4.00' },
        { id: first.id, amount: '5.00' },
      ],
    })
    expect(after).to.include({ state: 'void', credited: '12.00', returned: '9.00' })
    expect(await owed(invoice.id)).to.equal('0.00')
    expect(await credits.books()).to.deep.equal({ cash: '9.00', prepaid_credits: '-9.00' })
    const seen = await credits.see(first.id)
    expect(seen).to.include({ remaining: '5.00', used: '0.00' })
    expect(seen.movements.map(({ kind, amount, invoice_id }) => [kind, amount, invoice_id])).to.deep.equal([
      ['return', '-5.00', invoice.id],
      ['invoice', '5.00', invoice.id],
    ])
    await voided(invoice.id)
    expect((await credits.see(first.id)).remaining, 'again').to.equal('5.00')
  })

  it('an invoice that credits paid whole can be void; billed anew, the same credits pay it', async () => {
    const { id } = await credits.grant({ amount: '20' })
    await credits.use('20')
    const invoice = await credits.issueOctober()
    expect(await shown(invoice.id)).to.deep.include({ state: 'paid', actions: ['credit', 'void'] })
    await voided(invoice.id, true)
    expect((await credits.see(id)).remaining).to.equal('20.00')
    credits.billing.clock.set('2026-12-01T01:00:00Z')
    await credits.billing.issueDue()
    const again = await credits.billing.invoice('acme', '2026-11')
    expect([again.total, again.credits_applied]).to.deep.equal(['12.00', '12.00'])
    expect((await credits.see(id)).remaining).to.equal('8.00')
    expect([await owed(invoice.id), await owed(again.id)]).to.deep.equal(['0.00', '0.00'])
  })

  it('a credit note takes off what is due first, then what was used last, and only then money is owed', async () => {
    const first = await credits.grant({ amount: '3', reference: 'a', priority: 1 })
    const second = await credits.grant({ amount: '4', reference: 'b', priority: 2 })
    await credits.use('20')
    const { id } = await credits.issueOctober()
    const paid_at = '2026-11-01T00:30:00Z'
    expect((await act(id, 'payments', { amount: '2', paid_at, reference: 'bank' })).status).to.equal(201)
    const refused = await act(id, 'void', { reason: 'no' })
    expect([refused.status, refused.body.code], 'money was paid').to.deep.equal([409, 'invoice_action_refused'])
    expect(await credit(id, '2.50'), 'of 3.00 that are due').to.not.have.property('credits')
    expect(await credit(id, '3.50')).to.deep.include({
      credits_returned: '3.00',
      credits: [{ id: second.id, amount: '3.00' }],
    })
    expect(await owed(id)).to.equal('0.00')
    expect(await shown(id)).to.include({ state: 'paid', credited: '6.00', returned: '3.00' })
    expect(await credit(id, '6')).to.deep.include({
      credits: [
        { id: second.id, amount: '1.00' },
        { id: first.id, amount: '3.00' },
      ],
    })
    // Of the 2.00 from the bank; the two that are left of the invoice were paid by them.
    expect(await owed(id)).to.equal('-2.00')
    expect(await credits.books()).to.deep.equal({ cash: '9.00', prepaid_credits: '-7.00', tenant_receivable: '-2.00' })
  })

  it('what was deducted before comes back free, and the invoice ends at nothing in the ledger too', async () => {
    const { id } = await credits.grant({ amount: '10' })
    await credits.use('20')
    await credits.deduct('d-1', '4')
    const invoice = await credits.issueOctober()
    expect([invoice.amount_due, await owed(invoice.id)]).to.deep.equal(['2.00', '2.00'])
    const { body: close } = await credits.billing.call<{ closed: boolean }>('GET', '/billing/close/2026-10', {
      as: credits.billing.tokens.finance,
    })
    expect(close.closed, JSON.stringify(close)).to.equal(true)
    await voided(invoice.id)
    expect(await owed(invoice.id)).to.equal('0.00')
    expect(await credits.see(id)).to.include({ remaining: '10.00', on_account: '0.00' })
    expect(await credits.books()).to.deep.equal({ cash: '10.00', prepaid_credits: '-10.00' })
  })

  it('to a credit that has expired it comes back usable for 35 days, without what expired of it', async () => {
    const { id } = await credits.grant({ amount: '20', expires_at: '2026-11-10T00:00:00Z' })
    await credits.use('20')
    const invoice = await credits.issueOctober()
    credits.billing.clock.set('2026-11-20T00:00:00Z')
    await voided(invoice.id)
    const seen = await credits.see(id)
    expect(seen).to.include({ remaining: '12.00', expired: '8.00', used: '0.00' })
    expect(seen).to.include({ expires_at: '2026-12-25T00:00:00.000Z', granted_until: '2026-11-10T00:00:00.000Z' })
    expect(await credits.books()).to.deep.equal({ breakage: '-8.00', cash: '20.00', prepaid_credits: '-12.00' })
    const again = await credits.tryGrant({ amount: '20', expires_at: '2026-11-10T00:00:00Z' })
    expect([again.status, again.body.id], 'the same grant, asked for again').to.deep.equal([200, id])
  })

  it('a note that two ask for at once under one reference gives back once', async () => {
    const { id } = await credits.grant({ amount: '12' })
    await credits.use('20')
    const invoice = await credits.issueOctober()
    const json = { reason: 'a part', amount: '7', reference: 'case-1' }
    const [one, two] = await Promise.all([
      act<Note>(invoice.id, 'credit-notes', json),
      act<Note>(invoice.id, 'credit-notes', json),
    ])
    expect([one.status, two.status].sort()).to.deep.equal([200, 201])
    expect(one.body.credits_returned).to.equal('7.00')
    expect((await credits.see(id)).remaining).to.equal('7.00')
  })

  it('a credit note of it says in its documents what went back to credits', async () => {
    await credits.grant({ amount: '9' })
    await credits.use('20')
    const invoice = await credits.issueOctober()
    const { credit_note: note } = await voided(invoice.id)
    const as = credits.billing.tokens.acme
    const { bytes } = await credits.billing.call('GET', `/billing/credit-notes/${note.id}.csv`, { as })
    const rows = bytes.toString().trimEnd().split('\r\n')
    expect(rows.slice(-2).map((row) => row.split(',').at(-1))).to.deep.equal(['9.00', '3.00'])
  })
})
