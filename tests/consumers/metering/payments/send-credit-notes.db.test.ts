import { expect } from 'chai'
import type { PaymentDeps } from '../../../../consumers/metering/payments/deps.ts'
import { applyPaymentFact } from '../../../../consumers/metering/payments/payment-facts.ts'
import { sendCreditNotes } from '../../../../consumers/metering/payments/send-credit-notes.ts'
import type { Misbehaviour } from '../../../support/fake-stripe.ts'
import { openPayments, type Payments } from './fixture.ts'

describe('consumers/metering/payments: credit notes', function () {
  this.timeout(30_000)
  let payments: Payments
  beforeEach(async () => {
    payments = await openPayments()
  })
  afterEach(() => payments.close())

  const tell = (more: Partial<PaymentDeps> = {}) => sendCreditNotes({ ...payments.deps, ...more })
  const later = () => payments.billing.clock.advance(3_600_000)
  /** acme's invoice, of 1.80. */
  const act = async (what: string, json: object) => {
    const { owner, call, tokens } = payments.billing
    const [one] = await owner<{ id: string }>(
      "select id from metering.invoices where tenant = 'acme' and status = 'issued'",
    )
    const { status, body } = await call<{ id: string }>('POST', `/billing/invoices/${one?.id}/${what}`, {
      as: tokens.finance,
      json,
    })
    expect(status, JSON.stringify(body)).to.be.oneOf([200, 201])
    return body
  }
  const sends = () =>
    payments.billing.owner<{ action: string; state: string; attempts: number; last_error: string | null }>(
      `select n.action, n.state, n.attempts, n.last_error from metering.credit_note_sends n
       join metering.credit_notes c on c.id = n.credit_note_id order by c.number`,
    )
  const states = async () => (await sends()).map(({ action, state }) => [action, state])
  const atStripe = () => ({
    notes: payments.fake.creditNotes().map(({ fields }) => Number(fields.amount)),
    acme: payments.fake.invoices().find(({ metadata }) => metadata.atom_tenant === 'acme')?.status,
  })

  it('are told once the invoice was sent, once', async () => {
    await act('credit-notes', { reason: 'a', amount: '0.30' })
    expect(await tell()).to.equal(0)
    await payments.send()
    expect(await tell()).to.equal(1)
    expect(await tell()).to.equal(0)
    expect(await states()).to.deep.equal([['credit_note', 'sent']])
    expect(atStripe()).to.deep.equal({ notes: [30], acme: 'open' })
  })

  it('of a whole invoice void it there; what is left after another is credited', async () => {
    await payments.send()
    await act('void', { reason: 'a' })
    await tell()
    expect(atStripe()).to.deep.equal({ notes: [], acme: 'void' })
    expect(await states()).to.deep.equal([['void', 'sent']])
    payments.billing.clock.set('2026-11-01T02:00:00Z')
    const { owner, call, tokens } = payments.billing
    const [globex] = await owner<{ id: string }>("select id from metering.invoices where tenant = 'globex'")
    for (const [what, json] of [
      ['credit-notes', { reason: 'a', amount: '1' }],
      ['void', { reason: 'b' }],
    ] as const)
      await call('POST', `/billing/invoices/${globex?.id}/${what}`, { as: tokens.finance, json })
    await tell()
    expect(atStripe().notes).to.deep.equal([100, 200])
  })

  it('of an invoice that was not sent are not told, and a void one is not sent any more', async () => {
    await act('void', { reason: 'a' })
    await payments.send()
    await tell()
    expect((await payments.sends()).map(({ tenant, state, last_error }) => [tenant, state, last_error])).to.deep.equal([
      ['acme', 'skipped', 'void'],
      ['globex', 'sent', null],
    ])
    expect(await states()).to.deep.equal([['void', 'skipped']])
    expect(payments.fake.invoices()).to.have.length(1)
  })

  it('run dry without a key, and are told later when finance says so', async () => {
    await payments.send()
    const { id } = await act('credit-notes', { reason: 'a', amount: '0.30' })
    await tell({ gateway: null })
    await tell()
    expect(await states()).to.deep.equal([['credit_note', 'dry_run']])
    const { call, tokens } = payments.billing
    const retry = () => call('POST', `/billing/credit-notes/${id}/retry`, { as: tokens.finance })
    expect((await retry()).status).to.equal(202)
    await tell()
    expect(atStripe().notes).to.deep.equal([30])
    expect((await retry()).status).to.equal(409)
    const { body } = await call<{ credit_notes: { send: object }[] }>('GET', '/billing/credit-notes', {
      as: tokens.finance,
    })
    expect(body.credit_notes[0]?.send).to.include({ action: 'credit_note', state: 'sent' })
  })

  const hows: Misbehaviour[] = ['reset before', 'reset after', 'refuse 409', 'refuse 429', 'fail 500', 'fail 500 after']
  for (const how of hows)
    it(`${how}: come again until they are told, once`, async () => {
      await payments.send()
      await act('credit-notes', { reason: 'a', amount: '0.30' })
      payments.fake.misbehave(/POST .*credit_notes/, how, 3)
      for (let round = 0; round < 10; round++) {
        await tell()
        // A day on: nothing may rest on Stripe still knowing the keys.
        if (round % 2 === 0) payments.fake.forgetKeys()
        later()
      }
      expect(await states()).to.deep.equal([['credit_note', 'sent']])
      expect(atStripe().notes).to.deep.equal([30])
    })

  it('stop at what will not mend itself, and say why', async () => {
    await payments.send()
    await act('credit-notes', { reason: 'a', amount: '0.30' })
    payments.fake.misbehave(/POST .*credit_notes/, 'refuse 402', 1)
    await tell()
    expect((await sends())[0]).to.include({ state: 'failed' })
    expect((await sends())[0]?.last_error).to.match(/^stripe_/)
  })

  const paidAtStripe = async (id: string) => {
    const invoice = payments.fake.invoices().find(({ metadata }) => metadata.atom_tenant === 'acme')?.id ?? ''
    await applyPaymentFact(payments.deps, { id, invoice, state: 'paid', at: payments.billing.clock() })
  }
  const posted = async () =>
    (
      await payments.billing.owner<{ account: string; amount: string }>(
        "select account, amount::text from metering.ledger where kind = 'payment' order by posting_id, entry",
      )
    ).map(({ account, amount }) => [account, amount])
  const acme = async () => {
    const path = '/billing/invoices?tenant=acme&period=2026-10'
    const { call, tokens } = payments.billing
    return (await call<{ invoices: object[] }>('GET', path, { as: tokens.finance })).body.invoices[0]
  }

  it('what Stripe collects is in the ledger, less what it was told of, and once', async () => {
    await payments.send()
    await act('credit-notes', { reason: 'a', amount: '0.30' })
    await tell()
    for (const id of ['evt_a', 'evt_a', 'evt_b']) await paidAtStripe(id)
    expect(await posted()).to.deep.equal([
      ['cash', '1.50'],
      ['tenant_receivable', '-1.50'],
    ])
    expect(await acme()).to.include({ state: 'paid', paid: '1.50' })
  })

  it('what Stripe collects before it is told of a void has come in all the same, and is owed to the tenant', async () => {
    await payments.send()
    await act('void', { reason: 'a' })
    await paidAtStripe('evt_a')
    expect(await posted()).to.deep.equal([
      ['cash', '1.80'],
      ['tenant_receivable', '-1.80'],
    ])
    expect(await acme()).to.include({ state: 'void', paid: '1.80' })
  })

  it('what was paid by hand is not sent any more', async () => {
    await act('payments', { amount: '1.80', paid_at: '2026-11-01T00:30:00Z', reference: 'bank' })
    await payments.send()
    expect((await payments.sends()).map(({ tenant, state, last_error }) => [tenant, state, last_error])).to.deep.equal([
      ['acme', 'skipped', 'paid_by_hand'],
      ['globex', 'sent', null],
    ])
    expect(await acme()).to.include({ state: 'paid' })
  })
})
