import { expect } from 'chai'
import { expireReratings, measureDrift, replayNightly } from '../../../../consumers/metering/rerating/nightly.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { type Billing, openBilling, perUnit } from '../fixture.ts'
import { ask, replay, workOff } from './replays.ts'

const used = (id: string, time: string) => ({ id, meter: 'runs', quantity: '3', time })

describe('consumers/metering: drift', () => {
  let billing: Billing
  beforeEach(async () => {
    billing = await openBilling('2026-10-20T10:00:00Z')
    await billing.sell('one', perUnit('0.50'), ['acme', 'globex'])
    await billing.report([used('a', '2026-10-20T09:00:00Z')])
    await billing.report([used('b', '2026-10-20T09:00:00Z')], billing.tokens.globex)
    await billing.counted()
  })
  afterEach(() => billing.close())
  const nightly = () => replayNightly(billing.deps)
  const asked = () =>
    billing.owner<{ tenant: string; period: string }>('select tenant, period from metering.reratings order by id')
  async function measured() {
    const metrics = createMetrics()
    await measureDrift(billing.deps, metrics)()
    const text = await metrics.text()
    const value = (name: string) => new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? null
    return ['minor_units', 'lines', 'hours'].map((name) => value(`atom_billing_drift_${name}`))
  }

  it('looks at one tenant a day, whoever asks and however often, and at another one some day', async () => {
    const first = await Promise.all([nightly(), nightly(), nightly()])
    expect(first.filter((tenant) => tenant !== null)).to.have.length(1)
    const seen = new Set<string | null>(first)
    for (let day = 21; day <= 31; day += 1) {
      billing.clock.set(`2026-10-${day}T00:10:00Z`)
      seen.add(await nightly())
      expect(await nightly()).to.equal(null)
    }
    expect(seen).to.deep.equal(new Set([null, 'acme', 'globex']))
    expect(await asked()).to.have.length(12)
  })

  it('looks at the issued month while the log holds all of it, and at the current one after', async () => {
    billing.clock.set('2026-11-01T00:30:00Z')
    expect(await nightly(), 'neither is issued nor begun').to.equal(null)
    billing.clock.set('2026-11-01T01:10:00Z')
    await billing.issueDue()
    expect(await nightly()).not.to.equal(null)
    billing.clock.set('2026-11-05T00:10:00Z')
    await billing.report([used('c', '2026-11-04T09:00:00Z')])
    await billing.counted()
    expect(await nightly()).to.equal('acme')
    expect((await asked()).map(({ period }) => period)).to.deep.equal(['2026-10', '2026-11'])
  })

  it('shows what the newest replay of each month found, until one finds nothing or a week has passed', async () => {
    expect(await measured()).to.deep.equal([null, '0', '0'])
    await billing.owner("update metering.rollups set quantity = 1 where tenant = 'acme'")
    billing.clock.set('2026-11-01T01:10:00Z')
    await billing.issueDue()
    await replay(billing, { period: '2026-10' })
    expect(await measured()).to.deep.equal(['100', '1', '1'])
    // Another price and another time say nothing of drift.
    await replay(billing, { period: '2026-10', plan: perUnit('7') })
    await replay(billing, { period: '2026-10', as_of: '2026-10-20T08:00:00Z' })
    expect(await measured()).to.deep.equal(['100', '1', '1'])
    billing.clock.set('2026-11-07T00:00:00Z')
    expect(await measured()).to.deep.equal(['100', '1', '1'])
    billing.clock.set('2026-11-09T00:00:00Z')
    expect(await measured()).to.deep.equal([null, '0', '0'])
  })

  it('forgets replays that ended long ago, and none that is open', async () => {
    await replay(billing, { period: '2026-10' })
    await ask(billing, { period: '2026-10' })
    const after = new Date('2026-12-24T00:00:00Z')
    expect(await expireReratings(billing.deps.allTenants, after)).to.equal(1)
    expect(await billing.owner('select 1 from metering.rerating_results')).to.deep.equal([])
    expect(await asked()).to.have.length(1)
    await workOff(billing)
  })
})
