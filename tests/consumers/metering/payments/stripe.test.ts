import { expect } from 'chai'
import { GatewayError } from '../../../../consumers/metering/payments/gateway.ts'
import { openStripe, readStripeWebhook } from '../../../../consumers/metering/payments/stripe.ts'
import { type FakeStripe, startFakeStripe } from '../../../support/fake-stripe.ts'
import { rejected } from '../../../support/rejected.ts'
import { stripeEvent } from '../../../support/stripe-webhooks.ts'
import { gatewayContract } from './gateway.contract.ts'

describe('consumers/metering/payments: stripe', () => {
  let fake: FakeStripe
  const open = (timeout?: number) => openStripe(fake.secretKey, fake.url, timeout)
  const customer = (key = 'k', look = false, tenant = 'acme') => open().ensureCustomer({ tenant }, { key, look })
  const draft = (of: string) => ({
    tenant: 'acme',
    customer: of,
    invoice_id: 'i-1',
    number: 'ATOM-000001',
    period: '2026-10',
    currency: 'KWD',
    daysUntilDue: 0,
  })
  const item = (amount: bigint) => ({ ref: 'line', description: 'runs', amount, currency: 'KWD' })
  beforeEach(async () => {
    fake = await startFakeStripe()
  })
  afterEach(() => fake.close())

  gatewayContract(() => open())

  it('carries our number, currency and ids', async () => {
    const of = await customer()
    const invoice = await open().ensureInvoice(draft(of), { key: 'i', look: false })
    await open().addItem(invoice, of, item(-1_230n), 'item')
    expect(fake.customers()[0]?.metadata).to.deep.equal({ atom_tenant: 'acme' })
    const [found] = fake.invoices()
    expect(found).to.include({ amount: -1_230, status: 'draft' })
    expect(found?.metadata).to.deep.equal({ atom_invoice_id: 'i-1', atom_tenant: 'acme' })
    expect(found?.fields).to.include({
      currency: 'kwd',
      number: 'ATOM-000001',
      collection_method: 'charge_automatically',
      auto_advance: 'false',
      pending_invoice_items_behavior: 'exclude',
    })
    expect(found?.items[0]?.fields).to.include({ amount: '-1230', currency: 'kwd', 'metadata[atom_ref]': 'line' })
  })

  describe('says what became of a call', () => {
    const cases = [
      { how: 'reset before', kind: 'retry', code: 'unreachable' },
      { how: 'reset after', kind: 'retry', code: 'unreachable' },
      { how: 'refuse 409', kind: 'retry', code: 'stripe_lock_timeout' },
      { how: 'refuse 429', kind: 'retry', code: 'stripe_rate_limit', retryAfterMs: 7_000 },
      { how: 'fail 500', kind: 'retry', code: 'stripe_api_error' },
      { how: 'refuse 402', kind: 'permanent', code: 'stripe_card_declined' },
    ] as const
    for (const { how, ...expected } of cases)
      it(`${how}: ${expected.kind}`, async () => {
        // The library itself asks a second time, under the same key, where a kept connection was cut.
        fake.misbehave(/customers/, how, how.startsWith('reset') ? 2 : 1)
        const error = await rejected(customer())
        expect(error).to.be.instanceOf(GatewayError)
        expect(error).to.include(expected)
      })

    it('silence: retry, and the same key finds what was done', async () => {
      fake.misbehave(/customers/, 'silence after')
      const error = await rejected(open(50).ensureCustomer({ tenant: 'acme' }, { key: 'k', look: false }))
      expect(error).to.include({ kind: 'retry', code: 'unreachable' })
      await customer()
      expect(fake.customers()).to.have.length(1)
    })

    it('a failure that is kept under its key: spent, where asking again would never end', async () => {
      fake.misbehave(/customers/, 'fail 500')
      expect(await rejected(customer())).to.include({ kind: 'retry' })
      expect(await rejected(customer())).to.include({ kind: 'spent' })
      expect(await customer('k2')).to.match(/^cus_/)
    })

    it('a refused API key: retry, because no invoice is at fault', async () => {
      const error = await rejected(openStripe('sk_test_old', fake.url).itemsOf('in_1'))
      expect(error).to.include({ kind: 'retry', code: 'stripe_invalid_request_error' })
    })

    it('another call under a used key: permanent', async () => {
      await customer('k')
      const error = await rejected(customer('k', false, 'globex'))
      expect(error).to.include({ kind: 'permanent', code: 'stripe_idempotency_error' })
    })

    it('what is missing: permanent, with the parameter', async () => {
      const error = await rejected(open().ensureInvoice(draft('cus_none'), { key: 'i', look: false }))
      expect(error).to.include({ kind: 'permanent', code: 'stripe_resource_missing:customer' })
    })
  })

  describe('a day later, when keys are forgotten', () => {
    it('finds the customer, the invoice, its items and a credit note of before', async () => {
      const of = await customer()
      const invoice = await open().ensureInvoice(draft(of), { key: 'i', look: false })
      await open().addItem(invoice, of, item(10n), 'item')
      await open().finalizeInvoice(invoice, 'f')
      const note = { invoice, amount: 5n, ref: 'n-1' }
      const noted = await open().creditNote(note, { key: 'n', look: false })
      fake.forgetKeys()
      expect(await customer('k', true)).to.equal(of)
      expect(await open().ensureInvoice(draft(of), { key: 'i', look: true })).to.equal(invoice)
      expect([...(await open().itemsOf(invoice))]).to.deep.equal(['line'])
      await open().finalizeInvoice(invoice, 'f')
      expect(await open().creditNote(note, { key: 'n', look: true })).to.equal(noted)
      await open().voidInvoice(invoice, 'v')
      fake.forgetKeys()
      await open().voidInvoice(invoice, 'v')
      expect([fake.customers().length, fake.invoices().length, fake.creditNotes().length]).to.deep.equal([1, 1, 1])
    })

    it('takes usage that was delivered before as delivered', async () => {
      const at = new Date(Math.floor(Date.now() / 1000) * 1000)
      const event = { name: 'runs', customer: await customer('c'), value: '3', at, identifier: 'u-1' }
      expect(await open().sendMeterEvent(event, 'k')).to.equal('accepted')
      fake.forgetKeys()
      expect(await open().sendMeterEvent(event, 'k')).to.equal('duplicate')
      expect([...fake.meterEvents.values()]).to.have.length(1)
      expect(fake.meterEvents.get('u-1')).to.include({ timestamp: `${at.getTime() / 1000}`, 'payload[value]': '3' })
    })
  })

  for (const [what, more] of [
    ['a fraction', { value: '1.5' }],
    ['a time of 36 days ago', { at: new Date(Date.now() - 36 * 86_400_000) }],
    ['a long identifier', { identifier: 'x'.repeat(101) }],
  ] as const)
    it(`hears that ${what} is no usage: permanent`, async () => {
      const event = {
        name: 'runs',
        customer: await customer('c'),
        value: '1',
        at: new Date(),
        identifier: 'u',
        ...more,
      }
      const error = await rejected(open().sendMeterEvent(event, 'k'))
      expect(error).to.include({ kind: 'permanent', refused: true })
    })

  it('puts what is taken off a paid invoice to the credit of the customer', async () => {
    const of = await customer()
    const invoice = await open().ensureInvoice(draft(of), { key: 'i', look: false })
    await open().finalizeInvoice(invoice, 'f')
    fake.pay(invoice)
    await open().creditNote({ invoice, amount: 5n, ref: 'n' }, { key: 'n', look: false })
    expect(fake.creditNotes()[0]?.fields).to.include({ amount: '5', credit_amount: '5' })
  })

  it('refuses an amount that a number would change', async () => {
    const error = await rejected(open().addItem('in_1', 'cus_1', item(2n ** 53n), 'k'))
    expect(error).to.include({ kind: 'permanent', code: 'amount_too_large' })
  })

  it('tells live keys from test keys, and sends none in clear to another machine', () => {
    const modes = ['sk_live_1', 'rk_live_1', 'sk_test_1'].map((key) => openStripe(key, fake.url).mode)
    expect(modes).to.deep.equal(['live', 'live', 'test'])
    expect(() => openStripe('sk_test_1', 'http://stripe.example')).to.throw('must be https')
  })

  describe('reads webhooks', () => {
    const at = new Date('2026-11-02T10:00:00Z')
    const event = { id: 'evt_1', type: 'invoice.paid', object: { id: 'in_1' }, at }
    const read = (signed: { body: string; signature: string }, secrets = ['whsec_new', 'whsec_old'], now = at) =>
      readStripeWebhook(Buffer.from(signed.body), signed.signature, secrets, now)
    const refused = (work: () => unknown) => rejected((async () => work())())

    for (const secret of ['whsec_new', 'whsec_old'])
      it(`signed with any current secret (${secret})`, () => {
        expect(read(stripeEvent(event, [secret]))).to.deep.equal({ id: 'evt_1', invoice: 'in_1', state: 'paid', at })
      })

    it('of no concern: null', () => {
      expect(read(stripeEvent({ ...event, type: 'customer.created' }, ['whsec_old']))).to.equal(null)
    })

    it('not signed, signed otherwise, changed, or too old: refused', async () => {
      const signed = stripeEvent(event, ['whsec_old'])
      const late = new Date(at.getTime() + 301_000)
      for (const work of [
        () => read({ ...signed, signature: '' }),
        () => read(stripeEvent(event, ['whsec_gone'])),
        () => read({ ...signed, body: signed.body.replace('in_1', 'in_2') }),
        () => read(signed, ['whsec_old'], late),
      ])
        expect(await refused(work)).to.include({ code: 'signature_invalid' })
      expect(read(signed, ['whsec_old'], new Date(at.getTime() + 299_000))).not.to.equal(null)
    })
  })
})
