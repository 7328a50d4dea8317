import { expect } from 'chai'
import { analyticsHandlers } from '../../../../consumers/analytics/index.ts'
import { openEmbeddedBus } from '../../../../platform/bus/embedded.ts'
import { runConsumer } from '../../../../platform/bus/runner.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { eventually } from '../../../support/eventually.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { type Life, openLife } from './fixture.ts'

describe('consumers/metering/life: revenue in analytics', function () {
  this.timeout(30_000)
  let life: Life
  beforeEach(async () => {
    life = await openLife()
  })
  afterEach(() => life.billing.close())

  /** Lets analytics read all that was told so far. */
  async function told(): Promise<void> {
    const { database, clock } = life.billing
    const db = database.as('atom_analytics')
    const { log } = recordingLog()
    const bus = openEmbeddedBus({ server: database.server, log, appender: database.as('atom_app'), dbFor: () => db })
    const rest = { log, metrics: createMetrics(), now: clock }
    const consuming = await runConsumer({ bus, db, group: 'analytics', handlers: analyticsHandlers(), ...rest })
    try {
      bus.wake()
      await eventually('it is read', async () => (await consuming.lag()).every(({ records }) => records === 0))
    } finally {
      await consuming.stop()
      await bus.close()
    }
  }
  /** What the partner earned by the books, and by analytics: what was billed less what was given back. */
  async function earned(): Promise<{ booked: string; shown: string; gross: string }> {
    await told()
    const [sums] = await life.billing.owner<{ booked: string; shown: string; gross: string }>(
      `select (select (-sum(amount))::numeric(20,2)::text from metering.ledger where account = 'partner_payable') as booked,
         ((select sum(partner_share) from read.revenue)
           - (select coalesce(sum(partner_share), 0) from read.credits))::numeric(20,2)::text as shown,
         ((select sum(gross) from read.revenue) - (select coalesce(sum(gross), 0) from read.credits))::numeric(20,2)::text
           as gross`,
    )
    return sums as { booked: string; shown: string; gross: string }
  }

  it('is what the books say, through credit notes, prepaid credits, a void, and what is billed anew', async () => {
    const { billing, act } = life
    const json = { tenant: 'acme', amount: '5', kind: 'paid', reference: 'order-1' }
    await billing.call('POST', '/billing/credits', { as: billing.tokens.finance, json })
    const { id } = await life.issueBoth()
    expect(await earned()).to.deep.equal({ booked: '24.00', shown: '24.00', gross: '36.00' })
    await act(id, 'credit-notes', { reason: 'a', amount: '9' })
    expect(await earned(), 'whoever had paid it').to.deep.equal({ booked: '18.00', shown: '18.00', gross: '27.00' })
    await act(id, 'void', { reason: 'b', rebill: true })
    expect(await earned()).to.deep.equal({ booked: '16.00', shown: '16.00', gross: '24.00' })
    billing.clock.set('2026-12-01T01:00:00Z')
    await billing.issueDue()
    expect(await earned()).to.deep.equal({ booked: '24.00', shown: '24.00', gross: '36.00' })
  })
})
