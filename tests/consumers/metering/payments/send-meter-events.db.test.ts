import { expect } from 'chai'
import { paymentsCheck } from '../../../../consumers/metering/payments/payments-check.ts'
import { quarantineVersion } from '../../../../consumers/metering/quarantine/quarantine-version.ts'
import { type Problem, perUnit } from '../fixture.ts'
import { HOUR, openStripeMeters, runs, type StripeMeters } from './meter-fixture.ts'

describe('consumers/metering/payments: usage for meters of Stripe', function () {
  this.timeout(30_000)
  let meters: StripeMeters
  let billing: StripeMeters['billing']
  let fake: StripeMeters['fake']
  beforeEach(async () => {
    meters = await openStripeMeters()
    ;({ billing, fake } = meters)
  })
  afterEach(() => meters.close())
  const finance = () => billing.tokens.finance
  const found = async () => (await meters.windows()).map(({ state, value }) => [state, value])
  const iso = (time: Date) => time.toISOString().slice(0, 13)

  it('is told hour by hour, once, at its hour, in whole numbers with the rest carried on', async () => {
    await meters.map()
    await meters.use('2.5', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-10-20T11:14:00Z')
    await meters.send()
    expect(await found()).to.deep.equal([])
    billing.clock.set('2026-10-20T11:15:00Z')
    expect(await meters.send()).to.equal(1)
    expect(await meters.send()).to.equal(0)
    const [event] = fake.meterEvents.values()
    expect(event).to.include({
      event_name: 'runs',
      'payload[value]': '2',
      timestamp: `${Date.UTC(2026, 9, 20, 10) / 1000}`,
    })
    expect(event?.identifier).to.match(/^atom:[0-9a-f-]{36}$/)
    await meters.use('0.25', '2026-10-20T11:10:00Z')
    billing.clock.set('2026-10-20T12:10:00Z')
    await meters.use('0.5', '2026-10-20T12:10:00Z')
    billing.clock.set('2026-10-20T13:15:00Z')
    await meters.send()
    expect(await found()).to.deep.equal([
      ['sent', '2'],
      ['carried', '0'],
      ['sent', '1'],
    ])
    expect(fake.metered('acme')).to.equal(3)
    expect(fake.customers()).to.have.length(1)
  })

  it('is told anew with the difference where it comes late, and without a package for the oldest one', async () => {
    await meters.map()
    await meters.use('2', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-10-20T11:15:00Z')
    await meters.send()
    await meters.use('3', '2026-10-20T10:50:00Z', billing.tokens.acme, null)
    await meters.use('9', '2026-10-20T10:50:00Z', billing.tokens.globex)
    billing.clock.set('2026-10-20T12:15:00Z')
    await meters.send()
    expect((await meters.windows()).map(({ at, value }) => [iso(at), value])).to.deep.equal([
      ['2026-10-20T10', '2'],
      ['2026-10-20T10', '3'],
    ])
    expect([fake.metered('acme'), fake.metered('globex')]).to.deep.equal([5, 0])
  })

  it('stays in its month: the last hour is one of it, and late usage of 36 days goes to its last hour', async () => {
    await meters.map()
    billing.clock.set('2026-10-31T23:30:00Z')
    await meters.use('1', '2026-10-31T23:10:00Z')
    billing.clock.set('2026-11-01T00:15:00Z')
    await meters.use('10', '2026-11-01T00:05:00Z')
    await meters.send()
    expect([fake.metered('acme', 'runs', '2026-10'), fake.metered('acme', 'runs', '2026-11')]).to.deep.equal([1, 0])
    billing.clock.set('2026-11-26T11:20:00Z')
    await meters.send()
    await meters.use('100', '2026-10-20T10:40:00Z')
    billing.clock.advance(HOUR)
    await meters.send()
    const [late] = await meters.windows()
    expect([iso(late?.hour as Date), iso(late?.at as Date)]).to.deep.equal(['2026-10-20T10', '2026-10-31T23'])
    expect([fake.metered('acme', 'runs', '2026-10'), fake.metered('acme', 'runs', '2026-11')]).to.deep.equal([101, 10])
    // Nothing of October is taken any more.
    billing.clock.set('2026-12-10T10:00:00Z')
    await meters.send()
    await meters.use('1000', '2026-10-20T10:40:00Z')
    billing.clock.advance(HOUR)
    await meters.send()
    expect([fake.metered('acme'), fake.metered('acme', 'runs', '2026-12')]).to.deep.equal([1111, 1000])
  })

  it('is kept as too old, and not sent, where nothing was told for 35 days', async () => {
    await meters.map()
    await meters.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-11-24T11:00:00Z')
    await meters.use('4', '2026-11-24T09:00:00Z')
    await meters.send()
    expect(await found()).to.deep.equal([
      ['too_old', '3'],
      ['sent', '4'],
    ])
    expect(fake.metered('acme')).to.equal(4)
  })

  it('is of every subscribed tenant where only a package is named, and of every package where only a tenant is', async () => {
    await billing.sell('scale-workers', perUnit('1'), ['acme'])
    expect((await meters.map({ package: 'restart-workers', meter: 'runs', event_name: 'of-package' })).status).to.equal(
      200,
    )
    expect((await meters.map({ ...runs, package: 'scale-workers' })).status).to.equal(200)
    await meters.use('1', '2026-10-20T10:05:00Z')
    await meters.use('2', '2026-10-20T10:05:00Z', billing.tokens.globex)
    await meters.use('4', '2026-10-20T10:05:00Z', billing.tokens.acme, 'scale-workers')
    billing.clock.set('2026-10-20T11:15:00Z')
    await meters.send()
    expect([
      fake.metered('acme', 'of-package'),
      fake.metered('globex', 'of-package'),
      fake.metered('acme', 'runs'),
    ]).to.deep.equal([1, 2, 4])
  })

  it('is taken back while its version is quarantined, as far as it was told, and told again when it is released', async () => {
    await meters.map()
    const version = 'restart-workers@1.0.0'
    await meters.use('5', '2026-10-20T10:05:00Z', billing.tokens.acme, version)
    billing.clock.set('2026-10-20T11:15:00Z')
    await meters.send()
    await meters.use('3', '2026-10-20T11:10:00Z', billing.tokens.acme, version)
    const bad = { partner: 'demo', package: 'restart-workers', version: '1.0.0', reason: 'bad' }
    await billing.deps.allTenants.transaction((tx) =>
      quarantineVersion(tx, { ...bad, cause: 'rejected', at: billing.clock() }, billing.clock()),
    )
    billing.clock.set('2026-10-20T12:15:00Z')
    await meters.send()
    expect(fake.metered('acme')).to.equal(0)
    expect((await meters.windows()).map(({ at, value }) => [iso(at), value])).to.deep.equal([
      ['2026-10-20T10', '5'],
      ['2026-10-20T10', '-5'],
    ])
    await billing.owner(
      "update metering.quarantines set state = 'released', decided_at = now(), decided_by = 'x', justification = 'y'",
    )
    billing.clock.set('2026-10-20T13:15:00Z')
    await meters.send()
    expect(fake.metered('acme')).to.equal(8)
  })

  it('takes nothing back that was never told', async () => {
    await meters.map()
    await meters.use('5', '2026-10-20T10:05:00Z', billing.tokens.acme, 'restart-workers@1.0.0')
    billing.clock.set('2026-10-20T11:15:00Z')
    await meters.send({ gateway: null })
    const bad = { partner: 'demo', package: 'restart-workers', version: '1.0.0', reason: 'bad' }
    await billing.deps.allTenants.transaction((tx) =>
      quarantineVersion(tx, { ...bad, cause: 'rejected', at: billing.clock() }, billing.clock()),
    )
    billing.clock.set('2026-10-20T12:15:00Z')
    await meters.send()
    expect(await found()).to.deep.equal([
      ['dry_run', '5'],
      ['dry_run', '-5'],
    ])
    expect(fake.metered('acme')).to.equal(0)
  })

  it('is cut and told by the leader only', async () => {
    await meters.map()
    await meters.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-10-20T12:15:00Z')
    await meters.send({ leads: () => false })
    expect(await found()).to.deep.equal([])
    await Promise.all([meters.send(), meters.send()])
    expect(await found()).to.deep.equal([['sent', '3']])
    expect(fake.metered('acme')).to.equal(3)
  })

  it('is recorded and not told without a key, and told later where finance says so', async () => {
    await meters.map()
    await meters.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-10-20T12:00:00Z')
    await meters.send({ gateway: null })
    expect((await paymentsCheck({ ...meters.deps, gateway: null }).run()).detail).to.equal(
      'stripe: dry_run, nothing is sent without STRIPE_KEY; no invoices yet; windows of usage for meters: 1 dry_run',
    )
    await meters.send()
    expect(fake.calls).to.deep.equal([])
    const { body } = await meters.service.call<{ mode: string; windows: { id: string; state: string }[] }>(
      'GET',
      '/billing/stripe-meters/windows?state=dry_run',
      { as: finance() },
    )
    const path = `/billing/stripe-meters/windows/${body.windows[0]?.id}/retry`
    expect((await meters.service.call('POST', path, { as: finance() })).status).to.equal(202)
    await meters.send()
    expect(fake.metered('acme')).to.equal(3)
    expect((await meters.service.call<Problem>('POST', path, { as: finance() })).body.code).to.equal(
      'payment_not_retriable',
    )
  })
})
