import { expect } from 'chai'
import { stripeEvent } from '../../../support/fake-stripe.ts'
import { openPayments, type Payments, SECRETS } from '../payments/fixture.ts'

describe('consumers/metering/credits: what is sent for payment', function () {
  this.timeout(30_000)
  let payments: Payments
  beforeEach(async () => {
    payments = await openPayments()
  })
  afterEach(() => payments.close())

  const grant = async (tenant: string, amount: string) => {
    const json = { tenant, amount, kind: 'paid', reference: 'order-1' }
    const { status } = await payments.billing.call('POST', '/billing/credits', {
      as: payments.billing.tokens.finance,
      json,
    })
    expect(status).to.equal(201)
  }
  /** November: acme owes 1.80 of which 1.00 is prepaid, globex 3.00 of which all is. */
  async function sendNovember(): Promise<void> {
    const { billing } = payments
    await grant('acme', '1')
    await grant('globex', '10')
    const used = (id: string, quantity: string) => ({
      id,
      meter: 'runs',
      quantity,
      time: '2026-11-01T00:30:00Z',
      package: 'restart-workers',
    })
    await billing.report([used('a2', '3')])
    await billing.report([used('g2', '5')], billing.tokens.globex)
    await billing.counted()
    billing.clock.set('2026-12-01T01:00:00Z')
    await billing.issueDue()
    await payments.send()
  }
  const november = () => payments.fake.invoices().filter(({ fields }) => /2026-11/.test(fields.description ?? ''))

  it('is the amount due, with the credits as an item of their own', async () => {
    await sendNovember()
    const sent = november().map(({ metadata, amount, status, items }) => {
      const amounts = items.map(({ fields }) => Number(fields.amount))
      return [metadata.atom_tenant, amount, status, amounts]
    })
    expect(sent.sort()).to.deep.equal([
      ['acme', 80, 'open', [150, 30, -100]],
      ['globex', 0, 'paid', [250, 50, -300]],
    ])
    const invoice = await payments.billing.invoice('globex', '2026-11')
    expect(invoice).to.include({ total: '3.00', credits_applied: '3.00', amount_due: '0.00' })
  })

  it('is announced as paid with nothing where credits paid for all of it', async () => {
    await sendNovember()
    const paid = november().find(({ status }) => status === 'paid')
    const event = { id: 'evt_1', type: 'invoice.paid', object: { id: paid?.id }, at: payments.billing.clock() }
    const { body, signature } = stripeEvent(event, SECRETS)
    const told = await fetch(`${payments.service.url}/billing/webhooks/stripe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': signature },
      body,
    })
    expect(await told.json()).to.deep.equal({ received: true, applied: true })
    const [announced] = await payments.billing.owner<{ value: Buffer }>(
      "select value from platform.event_log where headers->>'ce_type' = 'payment.succeeded'",
    )
    expect(JSON.parse(announced?.value.toString() ?? '')).to.include({ tenant: 'globex', amount: '0.00' })
  })
})
