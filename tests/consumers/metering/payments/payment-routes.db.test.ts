import { expect } from 'chai'
import { expireFacts } from '../../../../consumers/metering/payments/payment-facts.ts'
import { paymentRoutes } from '../../../../consumers/metering/payments/payment-routes.ts'
import { paymentsCheck } from '../../../../consumers/metering/payments/payments-check.ts'
import { paymentFailed } from '../../../../schemas/events/payment.failed.ts'
import { paymentSucceeded } from '../../../../schemas/events/payment.succeeded.ts'
import { startService } from '../../../support/service.ts'
import { stripeEvent } from '../../../support/stripe-webhooks.ts'
import type { Problem } from '../fixture.ts'
import { openPayments, type Payments, SECRETS } from './fixture.ts'

type Payment = {
  tenant: string
  invoice_id: string
  state: string
  last_error: string | null
  payment_state: string | null
  external_id: string | null
}
type List = { mode: string; payments: Payment[]; next: string | null }

describe('consumers/metering/payments: calls', function () {
  this.timeout(20_000)
  let payments: Payments
  beforeEach(async () => {
    payments = await openPayments()
  })
  afterEach(() => payments.close())

  const list = async (query = '') =>
    (await payments.service.call<List>('GET', `/billing/payments${query}`, { as: payments.billing.tokens.finance }))
      .body
  const events = async (type: string) =>
    (
      await payments.billing.owner<{ value: Buffer }>(
        "select value from platform.event_log where headers->>'ce_type' = ? order by xid, pos",
        [type],
      )
    ).map(({ value }) => JSON.parse(value.toString()))

  describe('of finance', () => {
    it('list what was sent, page by page and filtered', async () => {
      await payments.send()
      const first = await list('?limit=1')
      const second = await list(`?limit=1&cursor=${first.next}`)
      expect([...first.payments, ...second.payments].map(({ tenant }) => tenant)).to.have.members(['acme', 'globex'])
      expect([first.mode, second.next]).to.deep.equal(['test', null])
      expect((await list('?tenant=acme&state=sent')).payments.map(({ tenant }) => tenant)).to.deep.equal(['acme'])
      expect((await list('?state=failed')).payments).to.deep.equal([])
      const wrong = await payments.service.call<Problem>('GET', '/billing/payments?state=lost', {
        as: payments.billing.tokens.finance,
      })
      expect([wrong.status, wrong.body.code]).to.deep.equal([400, 'parameter_invalid'])
    })

    it('are for finance alone', async () => {
      for (const as of [payments.billing.tokens.acme, payments.billing.tokens.demo, payments.billing.tokens.admin])
        expect((await payments.service.call('GET', '/billing/payments', { as })).status).to.equal(403)
      expect((await payments.service.call('GET', '/billing/payments')).status).to.equal(401)
    })

    it('send a failed one again, and nothing twice', async () => {
      const as = payments.billing.tokens.finance
      payments.fake.misbehave(/POST .*finalize/, 'refuse 402', 2)
      await payments.send()
      const [failed] = (await list('?state=failed&tenant=acme')).payments
      expect(failed).to.include({ last_error: 'stripe_card_declined' })
      const path = `/billing/payments/${failed?.invoice_id}/retry`
      const retried = await payments.service.call<Payment>('POST', path, { as })
      expect([retried.status, retried.body.state]).to.deep.equal([202, 'pending'])
      await payments.send()
      expect((await list('?tenant=acme')).payments[0]?.state).to.equal('sent')
      const acme = payments.fake.invoices().filter(({ metadata }) => metadata.atom_tenant === 'acme')
      expect(acme.map(({ status, amount }) => [status, amount])).to.deep.equal([['open', 180]])
      const again = await payments.service.call<Problem>('POST', path, { as })
      expect([again.status, again.body.code]).to.deep.equal([409, 'payment_not_retriable'])
      const unknown = await payments.service.call('GET', '/billing/payments/nothing', { as })
      expect(unknown.status).to.equal(404)
    })

    it('say that payments run dry, here and in /health, and show what would be sent', async () => {
      const dry = { ...payments.deps, gateway: null }
      await payments.send(dry)
      const service = await startService(paymentRoutes(dry), payments.billing.organisations.authenticate)
      const as = payments.billing.tokens.finance
      const { body } = await service.call<List>('GET', '/billing/payments', { as })
      expect([body.mode, ...body.payments.map(({ state }) => state)]).to.deep.equal(['dry_run', 'dry_run', 'dry_run'])
      const path = `/billing/payments/${body.payments[0]?.invoice_id}`
      const shown = await service.call<{ would_send: { invoice: object } }>('GET', path, { as })
      expect(shown.body.would_send.invoice).to.include({ period: '2026-10', currency: 'USD' })
      const refused = await service.call<Problem>('POST', `${path}/retry`, { as })
      expect([refused.status, refused.body.code]).to.deep.equal([409, 'payments_dry_run'])
      await service.close()
      const { status, detail } = await paymentsCheck(dry).run()
      expect([status, detail]).to.deep.equal(['ok', 'stripe: dry_run, nothing is sent without STRIPE_KEY; 2 dry_run'])
      expect((await paymentsCheck(payments.deps).run()).detail).to.match(/^stripe: test key; /)
      // With a key, finance sends the dry ones it wants.
      const retried = await payments.service.call('POST', `${path}/retry`, { as })
      expect(retried.status).to.equal(202)
      await payments.send()
      expect(payments.fake.invoices()).to.have.length(1)
    })
  })

  describe('of Stripe', () => {
    let sequence = 0
    async function tell(type: string, tenant = 'acme', more: { id?: string; secret?: string } = {}) {
      sequence += 1
      const [payment] = (await list(`?tenant=${tenant}`)).payments
      const event = {
        id: more.id ?? `evt_${sequence}`,
        type,
        object: { id: payment?.external_id ?? 'in_elsewhere', object: 'invoice' },
        at: payments.billing.clock(),
      }
      const { body, signature } = stripeEvent(event, [more.secret ?? (SECRETS[0] as string)])
      const response = await fetch(`${payments.service.url}/billing/webhooks/stripe`, {
        method: 'POST',
        headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature },
        body,
      })
      return { status: response.status, body: (await response.json()) as { applied?: boolean; code?: string } }
    }
    const stateOf = async (tenant = 'acme') => (await list(`?tenant=${tenant}`)).payments[0]?.payment_state
    beforeEach(() => payments.send())

    it('tell that an invoice was paid, which is announced once', async () => {
      expect(await tell('invoice.paid', 'acme', { id: 'evt_paid' })).to.deep.equal({
        status: 200,
        body: { received: true, applied: true },
      })
      expect((await tell('invoice.paid', 'acme', { id: 'evt_paid' })).body.applied).to.equal(false)
      expect((await tell('invoice.paid')).body.applied).to.equal(false)
      expect([await stateOf(), await stateOf('globex')]).to.deep.equal(['paid', null])
      const [event, ...more] = await events('payment.succeeded')
      expect(more).to.deep.equal([])
      expect(paymentSucceeded.problem(event)).to.equal(null)
      expect(event).to.include({ tenant: 'acme', amount: '1.80', currency: 'USD', sink: 'stripe', period: '2026-10' })
    })

    it('in any order come to the same state', async () => {
      await tell('invoice.payment_failed')
      await tell('invoice.paid')
      await tell('invoice.payment_failed')
      await tell('invoice.voided')
      expect(await stateOf()).to.equal('paid')
      expect(await events('payment.failed')).to.have.length(1)
      expect(paymentFailed.problem((await events('payment.failed'))[0])).to.equal(null)
      await tell('invoice.paid', 'globex')
      await tell('invoice.payment_failed', 'globex')
      expect(await stateOf('globex')).to.equal('paid')
      expect(await events('payment.failed')).to.have.length(1)
    })

    for (const [type, state] of [
      ['invoice.voided', 'void'],
      ['invoice.marked_uncollectible', 'uncollectible'],
    ] as const)
      it(`${type}: ${state}`, async () => {
        await tell(type)
        expect(await stateOf()).to.equal(state)
        expect([...(await events('payment.failed')), ...(await events('payment.succeeded'))]).to.deep.equal([])
      })

    it('twenty times at once: announced once', async () => {
      const told = await Promise.all(
        Array.from({ length: 20 }, (_, n) => tell('invoice.paid', 'acme', { id: `evt_${n % 3}_same` })),
      )
      expect(told.filter(({ body }) => body.applied)).to.have.length(1)
      expect(await events('payment.succeeded')).to.have.length(1)
    })

    it('of no concern are answered 200 and change nothing', async () => {
      for (const [type, tenant] of [
        ['customer.updated', 'acme'],
        ['invoice.created', 'acme'],
        ['invoice.paid', 'nobody'],
      ] as const)
        expect((await tell(type, tenant)).body).to.deep.equal({ received: true, applied: false })
      expect(await payments.billing.owner('select 1 from metering.payment_events_seen')).to.deep.equal([])
    })

    it('are believed under each current secret and under no other', async () => {
      expect((await tell('invoice.payment_failed', 'acme', { secret: 'whsec_old' })).status).to.equal(200)
      const { status, body } = await tell('invoice.paid', 'acme', { secret: 'whsec_gone' })
      expect([status, body.code]).to.deep.equal([400, 'webhook_signature_invalid'])
      expect(await stateOf()).to.equal('payment_failed')
    })

    it('are refused while no secret is set, so that Stripe keeps them', async () => {
      const routes = paymentRoutes({ ...payments.deps, webhookSecrets: [] })
      const service = await startService(routes, payments.billing.organisations.authenticate)
      const { status, body } = await service.call<Problem>('POST', '/billing/webhooks/stripe', { body: '{}' })
      expect([status, body.code]).to.deep.equal([503, 'webhook_unconfigured'])
      await service.close()
    })

    it('are forgotten after a month, and still change nothing when repeated', async () => {
      await tell('invoice.paid', 'acme', { id: 'evt_once' })
      payments.billing.clock.advance(31 * 86_400_000)
      expect(await expireFacts(payments.deps)).to.equal(1)
      expect((await tell('invoice.paid', 'acme', { id: 'evt_once' })).body.applied).to.equal(false)
      expect(await events('payment.succeeded')).to.have.length(1)
    })
  })
})
