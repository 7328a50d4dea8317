import { expect } from 'chai'
import { measureAws } from '../../../../consumers/metering/payments/aws-check.ts'
import { sendInvoices } from '../../../../consumers/metering/payments/send-invoices.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { type AwsBilling, HOUR, LICENSE, mapping, openAwsBilling } from './aws-fixture.ts'

describe('consumers/metering/payments: what AWS Marketplace bills', function () {
  this.timeout(30_000)
  let aws: AwsBilling
  let billing: AwsBilling['billing']
  let fake: AwsBilling['fake']
  let deps: AwsBilling['deps']
  beforeEach(async () => {
    aws = await openAwsBilling()
    ;({ billing, fake, deps } = aws)
  })
  afterEach(() => aws.close())
  const finance = () => billing.tokens.finance

  it('shows the time left until usage is lost', async () => {
    const metrics = createMetrics()
    const measure = measureAws(deps, metrics)
    const left = async () => {
      await measure()
      return Number(/^atom_aws_metering_seconds_until_loss (\S+)$/m.exec(await metrics.text())?.[1])
    }
    expect(await left()).to.equal(86_400)
    await aws.map()
    await aws.use('3', '2026-10-20T10:05:00Z')
    // Not cut yet, and already at risk from the hour it is put to.
    expect(await left()).to.equal(23.5 * 3_600)
    billing.clock.set('2026-10-20T12:00:00Z')
    fake.misbehave('fail')
    await aws.send()
    expect(await left()).to.equal(22 * 3_600)
    billing.clock.advance(HOUR)
    await aws.send()
    expect(await left()).to.equal(86_400)
    const dry = createMetrics()
    await measureAws({ ...deps, meterUsage: null }, dry)()
    expect(await dry.text()).not.to.contain('atom_aws')
  })

  describe('calls', () => {
    it('are for finance alone, and check what they are given', async () => {
      expect((await aws.map(mapping(), billing.tokens.demo)).status).to.equal(403)
      expect((await aws.map({ ...mapping(), customer_account: '1' })).body.code).to.equal('body_malformed')
      expect((await aws.map(mapping('nobody'))).status).to.equal(404)
      expect((await aws.map()).status).to.equal(200)
      expect((await aws.map()).status).to.equal(200)
      expect((await aws.map(mapping('globex'))).body.code).to.equal('aws_dimension_taken')
      const { body } = await aws.service.call<{ products: object[] }>('GET', '/billing/aws/products', { as: finance() })
      expect(body.products).to.have.length(1)
    })

    it('end at the end of the hour, and begin anew without what was used between', async () => {
      await aws.map()
      await aws.use('1', '2026-10-20T10:05:00Z')
      const path = '/billing/aws/products/acme/restart-workers'
      expect((await aws.service.call('DELETE', path, { as: finance() })).status).to.equal(200)
      expect((await aws.service.call('DELETE', path, { as: finance() })).status).to.equal(404)
      billing.clock.set('2026-10-20T12:30:00Z')
      await aws.use('10', '2026-10-20T11:30:00Z')
      await aws.send()
      expect(fake.total(LICENSE)).to.equal(1)
      await aws.map()
      await aws.use('2', '2026-10-20T12:10:00Z')
      billing.clock.set('2026-10-20T13:30:00Z')
      await aws.send()
      expect(fake.total(LICENSE)).to.equal(3)
    })
  })

  it('waits for finance where prepaid credits paid what AWS bills as well', async () => {
    await billing.owner(
      `insert into metering.aws_products (tenant, package, meter, product, license_arn, customer_account, dimension, since, planned_until)
       values ('acme', 'restart-workers', 'runs', 'p', ?, '123456789012', 'runs', '2026-10-01', '2026-10-01')`,
      [LICENSE],
    )
    const json = { tenant: 'acme', amount: '1', kind: 'paid', reference: 'order-1' }
    await billing.call('POST', '/billing/credits', { as: billing.tokens.finance, json })
    await aws.use('3', '2026-10-20T10:05:00Z')
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.issueDue()
    await sendInvoices({ ...deps, wake: () => {}, gateway: null, webhookSecrets: [], daysUntilDue: 30 })
    expect(await billing.owner('select tenant, state, last_error from metering.payment_sends')).to.deep.equal([
      { tenant: 'acme', state: 'failed', last_error: 'prepaid_and_billed_by_aws' },
    ])
  })

  it('is not sent to Stripe as well', async () => {
    await billing.owner(
      `insert into metering.aws_products (tenant, package, meter, product, license_arn, customer_account, dimension, since, planned_until)
       values ('acme', 'restart-workers', 'runs', 'p', ?, '123456789012', 'runs', '2026-10-01', '2026-10-01')`,
      [LICENSE],
    )
    await aws.map(mapping('globex', `${LICENSE}-globex`))
    await aws.use('3', '2026-10-20T10:05:00Z')
    await aws.use('4', '2026-10-20T10:05:00Z', billing.tokens.globex)
    billing.clock.set('2026-11-01T01:00:00Z')
    await billing.issueDue()
    const rest = { wake: () => {}, gateway: null, webhookSecrets: [], daysUntilDue: 30 }
    await sendInvoices({ ...deps, ...rest })
    expect(
      await billing.owner('select tenant, state, last_error from metering.payment_sends order by tenant'),
    ).to.deep.equal([
      { tenant: 'acme', state: 'skipped', last_error: 'billed_by_aws' },
      { tenant: 'globex', state: 'failed', last_error: 'partly_billed_by_aws' },
    ])
  })
})
