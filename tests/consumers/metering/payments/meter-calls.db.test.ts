import { expect } from 'chai'
import { awsRoutes } from '../../../../consumers/metering/payments/aws-routes.ts'
import { measureMeters } from '../../../../consumers/metering/payments/meter-check.ts'
import { sendInvoices } from '../../../../consumers/metering/payments/send-invoices.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { startService } from '../../../support/service.ts'
import type { Problem } from '../fixture.ts'
import { mapping } from './aws-fixture.ts'
import { HOUR, openStripeMeters, runs, type StripeMeters } from './meter-fixture.ts'

describe('consumers/metering/payments: what meters of Stripe bill', function () {
  this.timeout(30_000)
  let meters: StripeMeters
  let billing: StripeMeters['billing']
  beforeEach(async () => {
    meters = await openStripeMeters()
    billing = meters.billing
  })
  afterEach(() => meters.close())
  const finance = () => billing.tokens.finance
  const list = async () =>
    (await meters.service.call<{ meters: object[] }>('GET', '/billing/stripe-meters', { as: finance() })).body.meters

  it('is said by finance alone, and checked', async () => {
    expect((await meters.map(runs, billing.tokens.demo)).status).to.equal(403)
    expect((await meters.map({ meter: 'runs', event_name: 'runs' })).body.errors[0]?.pointer).to.equal('/tenant')
    expect((await meters.map({ ...runs, tenant: 'nobody' })).status).to.equal(404)
    expect((await meters.map({ ...runs, event_name: '' })).body.code).to.equal('body_malformed')
    for (const since of ['2026-10-20T10:30:00Z', '2026-09-30T23:00:00Z'])
      expect((await meters.map({ ...runs, since })).body.errors[0]?.pointer).to.equal('/since')
    const made = await meters.map()
    expect(made.body).to.include({ since: '2026-10-20T10:00:00.000Z', ends_at: null })
    expect((await meters.map({ ...runs, event_name: 'other' })).body.id).to.equal(made.body.id)
    expect(await list()).to.have.length(1)
    for (const path of ['/billing/stripe-meters', '/billing/stripe-meters/windows'])
      expect((await meters.service.call('GET', path, { as: billing.tokens.acme })).status).to.equal(403)
  })

  it('is not what another meter or AWS takes, whichever came first', async () => {
    await meters.map()
    for (const more of [{ tenant: undefined }, { package: undefined }, { since: '2026-10-25T00:00:00Z' }])
      expect((await meters.map({ ...runs, ...more })).body.code, JSON.stringify(more)).to.equal('stripe_meter_overlap')
    const aws = await startService(awsRoutes({ ...meters.deps, meterUsage: null }), billing.organisations.authenticate)
    const sell = (tenant: string) =>
      aws.call<Problem>('POST', '/billing/aws/products', { as: finance(), json: mapping(tenant, `arn:aws:${tenant}`) })
    expect((await sell('acme')).body.code).to.equal('stripe_meter_overlap')
    expect((await sell('globex')).status).to.equal(200)
    await aws.close()
    expect((await meters.map({ ...runs, tenant: 'globex' })).body.code).to.equal('stripe_meter_overlap')
  })

  it('ends at the end of the hour, still gets what comes late for before, and begins anew without what was between', async () => {
    const { body } = await meters.map()
    await meters.use('1', '2026-10-20T10:05:00Z')
    const path = `/billing/stripe-meters/${body.id}`
    expect((await meters.service.call('DELETE', path, { as: finance() })).status).to.equal(200)
    expect((await meters.service.call('DELETE', path, { as: finance() })).status).to.equal(404)
    billing.clock.set('2026-10-20T12:30:00Z')
    await meters.use('10', '2026-10-20T11:30:00Z')
    await meters.send()
    await meters.use('4', '2026-10-20T10:40:00Z')
    expect((await meters.map()).body.id).not.to.equal(body.id)
    await meters.use('2', '2026-10-20T12:10:00Z')
    billing.clock.set('2026-10-20T13:30:00Z')
    await meters.send()
    expect(meters.fake.metered('acme')).to.equal(7)
  })

  it('is listed page by page', async () => {
    await meters.map()
    for (const hour of [10, 11, 12]) {
      billing.clock.set(`2026-10-20T${hour}:40:00Z`)
      await meters.use('1', `2026-10-20T${hour}:05:00Z`)
    }
    billing.clock.set('2026-10-20T13:40:00Z')
    await meters.send()
    const hours: string[] = []
    let path: string | null = '/billing/stripe-meters/windows?limit=2&tenant=acme'
    while (path !== null) {
      type Page = { windows: { hour: string; identifier: string }[]; next: string | null }
      const { body }: { body: Page } = await meters.service.call<Page>('GET', path, { as: finance() })
      hours.push(...body.windows.map(({ hour }) => hour.slice(11, 13)))
      path = body.next && `/billing/stripe-meters/windows?limit=2&tenant=acme&cursor=${encodeURIComponent(body.next)}`
    }
    expect(hours).to.deep.equal(['12', '11', '10'])
    const wrong = '/billing/stripe-meters/windows?state=lost'
    expect((await meters.service.call('GET', wrong, { as: finance() })).status).to.equal(400)
  })

  it('is measured: windows by state, and the time left', async () => {
    const metrics = createMetrics()
    const measure = measureMeters(meters.deps, metrics)
    const left = async () => {
      await measure()
      return Number(/^atom_stripe_meter_seconds_until_loss (\S+)$/m.exec(await metrics.text())?.[1])
    }
    expect(await left()).to.equal(3_024_000)
    await meters.map()
    await meters.use('1', '2026-10-20T10:05:00Z')
    billing.clock.advance(HOUR)
    meters.fake.misbehave(/meter_events/, 'refuse 429')
    await meters.send()
    expect(await left()).to.equal(3_024_000 - 1.5 * 3_600)
    billing.clock.set('2026-11-24T10:00:00Z')
    await meters.send()
    await measure()
    expect(await metrics.text()).to.contain('atom_stripe_meter_windows{state="too_old"} 1')
  })

  it('is not charged a second time by an invoice', async () => {
    await meters.map({ ...runs, tenant: 'globex' })
    await billing.owner(
      `insert into metering.stripe_meters (id, tenant, meter, event_name, since, planned_until, created_at)
       values (gen_random_uuid(), 'acme', 'runs', 'runs', '2026-10-01', '2026-10-01', now())`,
    )
    await meters.use('3', '2026-10-20T10:05:00Z')
    await meters.use('4', '2026-10-20T10:05:00Z', billing.tokens.globex)
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.issueDue()
    await sendInvoices(meters.deps)
    expect(
      await billing.owner('select tenant, state, last_error from metering.payment_sends order by tenant'),
    ).to.deep.equal([
      { tenant: 'acme', state: 'skipped', last_error: 'billed_by_stripe_meters' },
      { tenant: 'globex', state: 'failed', last_error: 'partly_billed_by_stripe_meters' },
    ])
    expect(meters.fake.invoices()).to.deep.equal([])
  })

  it('waits for finance where prepaid credits paid it as well', async () => {
    await meters.map({ ...runs, package: undefined, since: '2026-10-01T00:00:00Z' })
    const json = { tenant: 'acme', amount: '1', kind: 'paid', reference: 'order-1' }
    await billing.call('POST', '/billing/credits', { as: finance(), json })
    await meters.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.issueDue()
    await sendInvoices(meters.deps)
    expect(await billing.owner('select state, last_error from metering.payment_sends')).to.deep.equal([
      { state: 'failed', last_error: 'prepaid_and_billed_by_stripe_meters' },
    ])
  })

  it('makes one customer of a tenant whose invoice is sent at the same time', async () => {
    await meters.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-11-01T01:10:00Z')
    await billing.issueDue()
    await meters.map()
    await meters.use('5', '2026-11-01T01:05:00Z')
    billing.clock.set('2026-11-01T02:20:00Z')
    for (let n = 0; n < 3; n++) {
      await Promise.all([sendInvoices(meters.deps), meters.send()])
      billing.clock.advance(HOUR)
    }
    expect(meters.fake.customers()).to.have.length(1)
    expect(meters.fake.invoices().map(({ amount, status }) => [amount, status])).to.deep.equal([[150, 'open']])
    expect(meters.fake.metered('acme')).to.equal(5)
  })
})
