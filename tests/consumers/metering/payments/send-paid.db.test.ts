import { expect } from 'chai'
import type { PaymentDeps } from '../../../../consumers/metering/payments/deps.ts'
import { applyPaymentFact } from '../../../../consumers/metering/payments/payment-facts.ts'
import { sendChanges, sendPaid } from '../../../../consumers/metering/payments/send-paid.ts'
import type { Misbehaviour } from '../../../support/fake-stripe.ts'
import { openPayments, type Payments } from './fixture.ts'

const paidAt = '2026-11-01T00:30:00Z'

describe('consumers/metering/payments: a bank transfer', function () {
  this.timeout(30_000)
  let payments: Payments
  let invoice: string
  beforeEach(async () => {
    payments = await openPayments()
    const [one] = await payments.billing.owner<{ id: string }>("select id from metering.invoices where tenant = 'acme'")
    invoice = one?.id ?? ''
  })
  afterEach(() => payments.close())

  const tell = (more: Partial<PaymentDeps> = {}) => sendChanges({ ...payments.deps, ...more })
  async function act(what: string, json: object) {
    const { call, tokens } = payments.billing
    const { status, body } = await call('POST', `/billing/invoices/${invoice}/${what}`, { as: tokens.finance, json })
    expect(status, JSON.stringify(body)).to.be.oneOf([200, 201])
  }
  const pay = (amount: string, reference = 'bank') => act('payments', { amount, paid_at: paidAt, reference })
  const atStripe = () => payments.fake.invoices().find(({ metadata }) => metadata.atom_tenant === 'acme')
  const calls = () => payments.fake.calls.filter((call) => call.endsWith('/pay')).length
  const told = () =>
    payments.billing.owner<{ state: string; last_error: string | null }>(
      'select state, last_error from metering.paid_sends',
    )

  it('that settles a sent invoice is told, once, and is not announced again when Stripe says so', async () => {
    await payments.send()
    await pay('1.00', 'first')
    await pay('0.80', 'second')
    // Two at once may both ask; the key of the request makes it one payment.
    await Promise.all([tell(), tell()])
    expect(await tell()).to.equal(0)
    expect(atStripe()).to.include({ status: 'paid' })
    expect(atStripe()?.fields).to.include({ paid_out_of_band: 'true' })
    expect(await told()).to.deep.equal([{ state: 'sent', last_error: null }])
    await applyPaymentFact(payments.deps, {
      id: 'evt_1',
      invoice: atStripe()?.id ?? '',
      state: 'paid',
      at: payments.billing.clock(),
    })
    const events = await payments.billing.owner(
      "select 1 from platform.event_log where headers->>'ce_type' = 'payment.succeeded'",
    )
    expect(events).to.have.length(1)
    const [cash] = await payments.billing.owner<{ sum: string }>(
      "select sum(amount)::text as sum from metering.ledger where account = 'cash'",
    )
    expect(cash?.sum).to.equal('1.80')
  })

  it('of a part is told at once, so that only the rest is asked for; the last one settles it', async () => {
    await payments.send()
    await pay('1.00', 'first')
    await Promise.all([tell(), tell()])
    expect(await tell()).to.equal(0)
    expect(payments.fake.parts()).to.deep.equal({ reported: [100], attached: [atStripe()?.id] })
    expect(atStripe()).to.include({ status: 'open' })
    await pay('0.50', 'second')
    await tell()
    await pay('0.30', 'third')
    expect(await tell()).to.equal(1)
    expect(payments.fake.parts().reported).to.deep.equal([100, 50])
    expect(atStripe()).to.include({ status: 'paid' })
  })

  it('of a part, with a credit note over what is left: the rest of that is put to the customer', async () => {
    await payments.send()
    await pay('1.50')
    await tell()
    await act('credit-notes', { reason: 'a', amount: '0.50' })
    await tell()
    expect(payments.fake.creditNotes()[0]?.fields).to.include({ amount: '50', credit_amount: '20' })
  })

  for (const call of [/POST .*report_payment$/, /POST .*attach_payment$/])
    for (const how of ['reset before', 'reset after', 'fail 500', 'fail 500 after'] as const)
      it(`of a part, ${call} ${how}: one record on the invoice in the end`, async () => {
        await payments.send()
        await pay('1.00')
        payments.fake.misbehave(call, how, 3)
        for (let round = 0; round < 8; round++) {
          await tell()
          if (round % 2 === 0) payments.fake.forgetKeys()
          payments.billing.clock.advance(3_600_000)
        }
        expect(payments.fake.parts()).to.deep.equal({ reported: [100], attached: [atStripe()?.id] })
        expect(await told()).to.deep.equal([{ state: 'sent', last_error: null }])
      })

  it('is told after the credit notes of its invoice, which would be given twice', async () => {
    await payments.send()
    await act('credit-notes', { reason: 'a', amount: '0.30' })
    await pay('1.50')
    expect(await sendPaid(payments.deps), 'while the note was not told').to.equal(0)
    expect(await tell()).to.equal(2)
    expect(atStripe()).to.include({ status: 'paid' })
    expect(payments.fake.creditNotes()[0]?.fields).to.not.have.property('credit_amount')
  })

  it('of an invoice that was not sent, or that Stripe has collected, is not told', async () => {
    await pay('1.80')
    await payments.send()
    await tell()
    expect([calls(), await told()]).to.deep.equal([0, []])
  })

  const hows: Misbehaviour[] = ['reset before', 'reset after', 'refuse 409', 'fail 500', 'fail 500 after']
  for (const how of hows)
    it(`${how}: comes again until it is told`, async () => {
      await payments.send()
      await pay('1.80')
      payments.fake.misbehave(/POST .*pay$/, how, 3)
      for (let round = 0; round < 8; round++) {
        await tell()
        if (round % 2 === 0) payments.fake.forgetKeys()
        payments.billing.clock.advance(3_600_000)
      }
      expect(await told()).to.deep.equal([{ state: 'sent', last_error: null }])
      expect(atStripe()).to.include({ status: 'paid' })
    })

  it('stops at what will not mend itself, shows why, and is told again when finance says so', async () => {
    await payments.send()
    await pay('1.80')
    payments.fake.misbehave(/POST .*pay$/, 'refuse 402', 1)
    await tell()
    const as = payments.billing.tokens.finance
    const path = `/billing/payments/${invoice}`
    expect((await payments.service.call('GET', path, { as })).body).to.include({
      state: 'sent',
      paid_told: 'failed',
      paid_told_error: 'stripe_card_declined',
    })
    const retry = () => payments.service.call('POST', `${path}/retry`, { as })
    expect((await retry()).status).to.equal(202)
    await tell()
    expect((await payments.service.call('GET', path, { as })).body).to.include({ paid_told: 'sent' })
    expect((await retry()).status).to.equal(409)
    expect(atStripe()).to.include({ status: 'paid' })
  })

  it('waits while there is no key', async () => {
    await payments.send()
    await pay('1.80')
    expect(await tell({ gateway: null })).to.equal(0)
    expect(await tell({ leads: () => false })).to.equal(0)
    expect(await told()).to.deep.equal([])
  })
})
