import { expect } from 'chai'
import { measureMeters } from '../../../../consumers/metering/payments/meter-check.ts'
import { paymentRoutes } from '../../../../consumers/metering/payments/payment-routes.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { startService, type TestService } from '../../../support/service.ts'
import { stripeNotice } from '../../../support/stripe-webhooks.ts'
import type { Problem } from '../fixture.ts'
import { openStripeMeters, type StripeMeters } from './meter-fixture.ts'

const SECRET = 'whsec_meters'
const TRIGGERED = 'v1.billing.meter.error_report_triggered'

describe('consumers/metering/payments: usage that Stripe refuses after it had taken it', function () {
  this.timeout(30_000)
  let meters: StripeMeters
  let service: TestService
  beforeEach(async () => {
    meters = await openStripeMeters()
    const routes = paymentRoutes({ ...meters.deps, webhookSecrets: [SECRET] })
    service = await startService(routes, meters.billing.organisations.authenticate)
    await meters.map()
    await meters.use('2', '2026-10-20T10:05:00Z')
    meters.billing.clock.set('2026-10-20T11:15:00Z')
    await meters.send()
  })
  afterEach(async () => {
    await service.close()
    await meters.close()
  })

  const identifiers = () => [...meters.fake.meterEvents.keys()]
  async function notify(id: string, type = TRIGGERED, secret = SECRET) {
    const { body, signature } = stripeNotice({ id, type, at: meters.billing.clock() }, secret)
    const headers = { 'stripe-signature': signature, 'content-type': 'application/json' }
    const response = await fetch(`${service.url}/billing/webhooks/stripe`, { method: 'POST', headers, body })
    return { status: response.status, body: (await response.json()) as { applied?: boolean } & Problem }
  }
  const finance = () => ({ as: meters.billing.tokens.finance })
  const window = async () => (await meters.windows()).map(({ state, last_error }) => [state, last_error])
  const reports = async (query = '') =>
    (await meters.service.call<{ errors: object[] }>('GET', `/billing/stripe-meters/errors${query}`, finance())).body
      .errors
  const check = async (period = '2026-10') => {
    const { body } = await meters.billing.call<{ checks: { name: string; count: number }[] }>(
      'GET',
      `/billing/close/${period}`,
      finance(),
    )
    return body.checks.find(({ name }) => name === 'meter_errors')?.count
  }

  it('is fetched, kept without its texts, shown, and told again under another identifier', async () => {
    const [identifier = ''] = identifiers()
    const id = meters.fake.meterError(
      { meter_event_customer_not_found: [identifier, 'atom:of another installation'] },
      meters.billing.clock(),
    )
    expect((await notify(id)).body).to.deep.equal({ received: true, applied: true })
    expect((await notify(id)).body, 'repeated').to.deep.equal({ received: true, applied: false })
    expect(await window()).to.deep.equal([['failed', 'stripe_meter_event_customer_not_found']])
    const [report] = await reports()
    expect(report).to.deep.include({
      id,
      meter: 'mtr_1',
      errors: 2,
      codes: [{ code: 'meter_event_customer_not_found', errors: 2, windows: 1 }],
      settled_at: null,
    })
    expect(JSON.stringify(report)).to.not.include('acme used')
    expect([await check(), await check('2026-09')]).to.deep.equal([1, 0])
    const { body } = await meters.service.call<{ windows: { id: string; identifier: string }[] }>(
      'GET',
      '/billing/stripe-meters/windows',
      finance(),
    )
    expect(body.windows[0]?.identifier).to.equal(`${identifier}:2`)
    const path = `/billing/stripe-meters/windows/${body.windows[0]?.id}/retry`
    expect((await meters.service.call('POST', path, finance())).status).to.equal(202)
    await meters.send()
    expect(await window()).to.deep.equal([['sent', null]])
    expect(identifiers()).to.deep.equal([identifier, `${identifier}:2`])
    // What is said of the first identifier says nothing of the second.
    await notify(meters.fake.meterError({ no_meter: [identifier] }, meters.billing.clock()))
    expect(await window()).to.deep.equal([['sent', null]])
  })

  it('stands on the list until finance has settled it', async () => {
    const id = meters.fake.meterError({ no_meter: ['x'] }, meters.billing.clock(), null)
    await notify(id, 'v1.billing.meter.no_meter_found')
    const metrics = createMetrics()
    const measure = measureMeters(meters.deps, metrics)
    await measure()
    expect(await metrics.text()).to.match(/^atom_stripe_meter_errors 1$/m)
    const settle = (name: string) =>
      meters.service.call('POST', `/billing/stripe-meters/errors/${name}/settle`, finance())
    for (let times = 0; times < 2; times++) expect((await settle(id)).status).to.equal(200)
    expect((await settle('evt_unknown')).status).to.equal(404)
    expect(await reports('?open=true')).to.deep.equal([])
    expect(await reports()).to.have.length(1)
    expect(await check()).to.equal(0)
    await measure()
    expect(await metrics.text()).to.match(/^atom_stripe_meter_errors 0$/m)
  })

  it('is asked for again while Stripe does not hand it out, and never believed unsigned', async () => {
    const id = meters.fake.meterError({ no_meter: ['x'] }, meters.billing.clock())
    meters.fake.misbehave(/v2\/core\/events/, 'reset before', 2)
    const { status, body } = await notify(id)
    expect([status, body.code]).to.deep.equal([503, 'webhook_event_unavailable'])
    expect((await notify(id, TRIGGERED, 'whsec_other')).body.code).to.equal('webhook_signature_invalid')
    expect(await reports()).to.deep.equal([])
    expect((await notify(id, 'v2.core.account.updated')).body).to.deep.equal({ received: true, applied: false })
    expect((await notify(id)).body.applied).to.equal(true)
  })

  it('is nobody else’s to see', async () => {
    const as = meters.billing.tokens.acme
    expect((await meters.service.call('GET', '/billing/stripe-meters/errors', { as })).status).to.equal(403)
  })
})
