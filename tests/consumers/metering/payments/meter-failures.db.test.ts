import { expect } from 'chai'
import type { PaymentGateway } from '../../../../consumers/metering/payments/gateway.ts'
import type { Db } from '../../../../platform/db.ts'
import type { Misbehaviour } from '../../../support/fake-stripe.ts'
import { DAY, MINUTE, openStripeMeters, runs, type StripeMeters } from './meter-fixture.ts'

describe('consumers/metering/payments: usage for meters of Stripe, when something goes wrong', function () {
  this.timeout(30_000)
  let meters: StripeMeters
  let billing: StripeMeters['billing']
  let fake: StripeMeters['fake']
  beforeEach(async () => {
    meters = await openStripeMeters()
    ;({ billing, fake } = meters)
    await meters.map()
    await meters.map({ ...runs, tenant: 'globex' })
    await meters.use('3', '2026-10-20T10:05:00Z')
    await meters.use('4', '2026-10-20T10:05:00Z', billing.tokens.globex)
    billing.clock.set('2026-10-20T11:20:00Z')
  })
  afterEach(() => meters.close())
  const finance = () => billing.tokens.finance
  const found = async () => (await meters.windows()).map(({ state, value }) => [state, value])
  const totals = () => [fake.metered('acme'), fake.metered('globex')]
  const settle = async (rounds = 6) => {
    for (let n = 0; n < rounds; n++) {
      billing.clock.advance(5 * MINUTE)
      await meters.send()
    }
  }

  const ways: Misbehaviour[] = [
    ...(['reset before', 'reset after', 'silence after'] as const),
    ...(['refuse 409', 'refuse 429', 'fail 500', 'fail 500 after'] as const),
  ]
  // The library repeats what was reset by itself, once.
  const eachOnce = (how: Misbehaviour) => (how.startsWith('reset') ? 4 : 2)
  for (const how of ways)
    it(`${how}: comes again under the same identifier with the same value, and counts once`, async () => {
      fake.misbehave(/meter_events/, how, eachOnce(how))
      await meters.send()
      const waiting = (await meters.windows()).filter(({ state }) => state === 'pending')
      expect(waiting.every(({ last_error }) => last_error !== null)).to.equal(true)
      expect(waiting).not.to.have.length(0)
      // Usage that comes meanwhile is no part of what is repeated.
      await meters.use('5', '2026-10-20T10:06:00Z')
      await settle()
      expect(await found()).to.deep.equal([
        ['sent', '3'],
        ['sent', '4'],
      ])
      expect(totals()).to.deep.equal([3, 4])
      billing.clock.set('2026-10-20T12:20:00Z')
      await meters.send()
      expect(totals()).to.deep.equal([8, 4])
    })

  it('a duplicate is delivered: the answer was lost, and the key forgotten', async () => {
    fake.misbehave(/meter_events/, 'reset after', eachOnce('reset after'))
    await meters.send()
    fake.forgetKeys()
    await settle()
    expect((await meters.windows()).map(({ state }) => state)).to.deep.equal(['sent', 'sent'])
    expect(totals()).to.deep.equal([3, 4])
  })

  it('waits as long as Stripe asks for', async () => {
    fake.misbehave(/meter_events/, 'refuse 429', 2)
    await meters.send()
    billing.clock.advance(6_000)
    expect(await meters.send()).to.equal(0)
    billing.clock.advance(2_000)
    expect(await meters.send()).to.equal(2)
  })

  it('an answer that was lost a day ago: failed, for Stripe would count it once more', async () => {
    fake.misbehave(/meter_events/, 'reset after', eachOnce('reset after'))
    await meters.send()
    fake.forgetKeys()
    fake.meterEvents.clear()
    billing.clock.advance(DAY)
    await meters.send()
    expect((await meters.windows()).map(({ state, last_error }) => [state, last_error])).to.deep.equal([
      ['failed', 'outcome_unknown'],
      ['failed', 'outcome_unknown'],
    ])
  })

  it('refusals for more than a day: told then, for nothing was done', async () => {
    fake.misbehave(/meter_events/, 'refuse 429', 2)
    await meters.send()
    billing.clock.advance(DAY)
    await meters.send()
    expect(totals()).to.deep.equal([3, 4])
  })

  it('what Stripe refuses is failed at once, and told again when finance says so', async () => {
    fake.misbehave(/meter_events/, 'refuse 402')
    await meters.send()
    const { body } = await meters.service.call<{ windows: { id: string; tenant: string; last_error: string }[] }>(
      'GET',
      '/billing/stripe-meters/windows?state=failed',
      { as: finance() },
    )
    expect(body.windows.map(({ last_error }) => last_error)).to.deep.equal(['stripe_card_declined'])
    const path = `/billing/stripe-meters/windows/${body.windows[0]?.id}/retry`
    expect((await meters.service.call('POST', path, { as: finance() })).status).to.equal(202)
    await meters.send()
    expect(totals()).to.deep.equal([3, 4])
  })

  it('the process dies at any await: the next one tells the same, once', async () => {
    for (const after of [false, true])
      for (let n = 1; ; n++) {
        let left = n
        const mortal = <T extends object>(of: T): T =>
          new Proxy(of, {
            get: (target, name) => {
              const value: unknown = Reflect.get(target, name)
              if (typeof value !== 'function') return value
              return async (...args: unknown[]) => {
                left -= 1
                if (left < 0 || (left === 0 && !after)) throw new Error('dead')
                const result: unknown = await value.apply(target, args)
                if (left <= 0) throw new Error('dead')
                return result
              }
            },
          })
        await meters
          .send({
            allTenants: mortal<Db>(meters.deps.allTenants),
            gateway: mortal<PaymentGateway>(meters.deps.gateway as PaymentGateway),
          })
          .catch(() => {})
        if (left > 0) {
          expect(n).to.be.greaterThan(12)
          break
        }
        billing.clock.advance(10_000)
        await meters.send()
        expect(totals(), `dead at ${n}`).to.deep.equal([3, 4])
        expect(await found()).to.deep.equal([
          ['sent', '3'],
          ['sent', '4'],
        ])
        expect(fake.customers()).to.have.length(2)
        fake.reset()
        await billing.owner('truncate metering.stripe_meter_windows, metering.payment_customers')
        await billing.owner('update metering.stripe_meters set planned_until = since')
        billing.clock.set('2026-10-20T11:20:00Z')
      }
  })
})
