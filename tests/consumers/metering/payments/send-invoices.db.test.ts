import { expect } from 'chai'
import { GatewayError, type PaymentGateway } from '../../../../consumers/metering/payments/gateway.ts'
import type { Db } from '../../../../platform/db.ts'
import type { Misbehaviour } from '../../../support/fake-stripe.ts'
import { openPayments, type Payments } from './fixture.ts'

/** A process that dies when it comes to its n-th call of the database or the provider: nothing it does after counts. */
function dyingAt(n: number, { deps }: Payments) {
  let left = n
  const step = async <T>(work: () => Promise<T>, after: boolean): Promise<T> => {
    left -= 1
    if (left < 0 || (left === 0 && !after)) throw new Error('dead')
    const result = await work()
    if (left <= 0) throw new Error('dead')
    return result
  }
  const mortal = <T extends object>(of: T, after: boolean): T =>
    new Proxy(of, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => step(() => value.apply(target, args) as Promise<unknown>, after)
      },
    })
  return {
    reached: () => left <= 0,
    with: (after: boolean) => ({
      allTenants: mortal<Db>(deps.allTenants, after),
      gateway: mortal<PaymentGateway>(deps.gateway as PaymentGateway, after),
    }),
  }
}

describe('consumers/metering/payments: sending', function () {
  this.timeout(30_000)
  let payments: Payments
  beforeEach(async () => {
    payments = await openPayments()
  })
  afterEach(() => payments.close())

  const states = async () => (await payments.sends()).map(({ tenant, state, step }) => [tenant, state, step])
  const amounts = () =>
    payments.fake
      .invoices()
      .map(({ metadata, amount, status, items }) => [metadata.atom_tenant, amount, status, items.length])
      .sort()
  const sentOnce = [
    ['acme', 180, 'open', 2],
    ['globex', 300, 'open', 2],
  ]
  const allSent = [
    ['acme', 'sent', 'done'],
    ['globex', 'sent', 'done'],
  ]
  const later = (seconds: number) => payments.billing.clock.advance(seconds * 1_000)

  it('sends each issued invoice once, with its lines, tax and number', async () => {
    await payments.send()
    expect(await states()).to.deep.equal(allSent)
    expect(amounts()).to.deep.equal(sentOnce)
    const [invoice] = payments.fake.invoices()
    expect(invoice?.fields).to.include({ collection_method: 'send_invoice', days_until_due: '30', currency: 'usd' })
    expect(invoice?.fields.number).to.match(/^ATOM-00000[12]$/)
    const calls = payments.fake.calls.length
    await payments.send()
    expect(payments.fake.calls.length).to.equal(calls)
  })

  it('sends nothing while another process leads', async () => {
    expect(await payments.send({ leads: () => false })).to.equal(0)
    expect(await states()).to.deep.equal([])
  })

  it('records without a key what would be sent, and does not send it by itself once there is one', async () => {
    await payments.send({ gateway: null })
    const [acme] = await payments.sends()
    expect(acme).to.include({ state: 'dry_run', step: 'customer', attempts: 0 })
    expect(acme?.would_send?.items.map(({ amount }) => amount)).to.deep.equal(['150', '30'])
    await payments.send()
    expect(payments.fake.calls).to.deep.equal([])
  })

  it('makes one customer for a tenant with several invoices', async () => {
    payments.billing.clock.set('2026-11-20T10:00:00Z')
    const time = '2026-11-20T09:00:00Z'
    await payments.billing.report([{ id: 'b', meter: 'runs', quantity: '1', time, package: 'restart-workers' }])
    await payments.billing.counted()
    payments.billing.clock.set('2026-12-01T01:00:00Z')
    await payments.billing.issueDue()
    await payments.send()
    expect(payments.fake.invoices()).to.have.length(3)
    expect(payments.fake.customers().map(({ metadata }) => metadata.atom_tenant)).to.have.members(['acme', 'globex'])
  })

  describe('dies', () => {
    for (const after of [false, true])
      it(`${after ? 'between the effect and its record' : 'before the effect'}, at every await: one charge`, async function () {
        this.timeout(120_000)
        let n = 0
        for (;;) {
          n += 1
          const process = dyingAt(n, payments)
          await payments.send(process.with(after)).catch(() => {})
          if (!process.reached()) break
          // A day on: nothing may rest on Stripe still knowing the keys.
          if (n % 2 === 0) payments.fake.forgetKeys()
          later(3_600)
          await payments.send()
          expect(amounts(), `dead at ${n}`).to.deep.equal(sentOnce)
          expect(await states()).to.deep.equal(allSent)
          payments.fake.reset()
          await payments.billing.owner('truncate metering.payment_sends, metering.payment_customers cascade')
        }
        expect(n).to.be.greaterThan(20)
      })
  })

  describe('meets a provider that misbehaves', () => {
    const places = [/POST .*customers/, /POST .*invoices$/, /POST .*invoiceitems/, /POST .*finalize/]
    const hows: Misbehaviour[] = [
      'reset before',
      'reset after',
      'refuse 409',
      'refuse 429',
      'fail 500',
      'fail 500 after',
    ]
    for (const how of hows)
      it(`${how}, at each step: comes again until it is sent, once`, async () => {
        for (const place of places) payments.fake.misbehave(place, how, 3)
        for (let round = 0; round < 60 && JSON.stringify(await states()) !== JSON.stringify(allSent); round++) {
          await payments.send()
          later(3_600)
        }
        expect(await states()).to.deep.equal(allSent)
        expect(amounts()).to.deep.equal(sentOnce)
        expect(payments.fake.customers()).to.have.length(2)
      })

    it('waits longer each time, as long as it is asked to, and says why', async () => {
      payments.fake.misbehave(/customers/, 'refuse 429', 100)
      await payments.send()
      const [acme] = await payments.sends()
      expect(acme).to.include({ state: 'pending', step: 'customer', attempts: 1, last_error: 'stripe_rate_limit' })
      const calls = payments.fake.calls.length
      later(6.9)
      await payments.send()
      expect(payments.fake.calls.length).to.equal(calls)
      later(0.2)
      await payments.send()
      expect(payments.fake.calls.length).to.be.greaterThan(calls)
    })

    it('gives up after forty tries', async () => {
      payments.fake.misbehave(/customers/, 'refuse 409', 1_000)
      for (let n = 0; n < 45; n++) {
        await payments.send()
        later(3_600)
      }
      const [acme] = await payments.sends()
      expect(acme).to.include({ state: 'failed', attempts: 40, last_error: 'stripe_lock_timeout' })
    })

    it('stops at what will not mend itself, for that invoice only', async () => {
      payments.fake.misbehave(/POST .*invoices$/, 'refuse 402')
      await payments.send()
      const failed = (await payments.sends()).find(({ state }) => state === 'failed')
      expect(failed).to.include({ step: 'invoice', last_error: 'stripe_card_declined' })
      expect((await payments.sends()).filter(({ state }) => state === 'sent')).to.have.length(1)
    })

    it('changes nothing when another process took the step meanwhile', async () => {
      const gateway = payments.deps.gateway as PaymentGateway
      let raced = false
      const slow: PaymentGateway = {
        ...gateway,
        async finalizeInvoice(invoice, key) {
          if (raced) return gateway.finalizeInvoice(invoice, key)
          raced = true
          await payments.send()
          throw new GatewayError('permanent', 'too_late')
        },
      }
      await payments.send({ gateway: slow })
      expect(await states()).to.deep.equal(allSent)
      expect(amounts()).to.deep.equal(sentOnce)
    })
  })
})
