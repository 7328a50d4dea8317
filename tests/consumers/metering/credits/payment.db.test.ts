import { expect } from 'chai'
import { sendCreditNotes } from '../../../../consumers/metering/payments/send-credit-notes.ts'
import { stripeEvent } from '../../../support/stripe-webhooks.ts'
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

  it('and of a credit note what was collected there: not what went back to credits', async () => {
    await sendNovember()
    const { billing, fake, deps } = payments
    const ids = Object.fromEntries(
      (
        await billing.owner<{ tenant: string; id: string }>(
          "select tenant, id from metering.invoices where period = '2026-11'",
        )
      ).map(({ tenant, id }) => [tenant, id]),
    )
    const give = async (tenant: string, what: string, json: object) => {
      const { status, body } = await billing.call('POST', `/billing/invoices/${ids[tenant]}/${what}`, {
        as: billing.tokens.finance,
        json: { reason: 'wrong', ...json },
      })
      expect(status, JSON.stringify(body)).to.be.oneOf([200, 201])
    }
    // 0.80 of the 1.80 is due: the second note gives 0.20 of its 0.50 back to credits, the third all of its own.
    for (const amount of ['0.50', '0.50', '0.30']) await give('acme', 'credit-notes', { amount })
    await give('globex', 'void', {})
    await sendCreditNotes(deps)
    const told = await billing.owner<{ state: string; last_error: string | null }>(
      `select n.state, n.last_error from metering.credit_note_sends n
       join metering.credit_notes c on c.id = n.credit_note_id order by c.number`,
    )
    expect(told.map(({ state, last_error }) => [state, last_error])).to.deep.equal([
      ['sent', null],
      ['sent', null],
      ['skipped', 'went_to_prepaid_credits'],
      ['skipped', 'went_to_prepaid_credits'],
    ])
    expect(fake.creditNotes().map(({ fields }) => fields.amount)).to.deep.equal(['50', '30'])
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
