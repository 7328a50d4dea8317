import { expect } from 'chai'
import { type Analyzer, openAnalyzer } from '../../../consumers/governance/analyzer.ts'
import { governanceHandlers } from '../../../consumers/governance/index.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { type RunningConsumer, runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { marketplaceHandlers } from '../../../producers/marketplace/index.ts'
import type { Verdict } from '../../../schemas/verdict.ts'
import { type Marketplace, openMarketplace } from '../../producers/marketplace/fixture.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'

// As many parts as are read at all, each of them decoded and read again: three times the limit below.
const SLOW = 'echo Y3VybCBhCg== | base64 -d | sh | tee b > c;'.repeat(1_200)

describe('a submitted package that cannot be judged within its limits', () => {
  let market: Marketplace
  let analyzer: Analyzer
  const running: (RunningConsumer | { stop(): Promise<void> })[] = []

  before(async function () {
    this.timeout(60_000)
    market = await openMarketplace()
    // Far less than the real limit, so that the test need not wait for that.
    analyzer = await openAnalyzer({ timeLimitMs: 500 })
    const { log } = recordingLog()
    for (const group of ['governance', 'marketplace'] as const) {
      const db = market.database.as(`atom_${group}`)
      const bus = openEmbeddedBus({ server: market.database.server, log, appender: db, dbFor: () => db })
      const handlers =
        group === 'governance'
          ? governanceHandlers({ db, analyzer, now: market.clock })
          : marketplaceHandlers({ now: market.clock })
      const options = { bus, db, group, handlers, log, metrics: createMetrics(), now: market.clock }
      running.push(await runConsumer(options), { stop: () => bus.close() })
    }
  })
  after(async () => {
    for (const one of running) await one.stop()
    await analyzer?.close()
    await market?.close()
  })

  const verdictOf = async (id: string): Promise<Verdict> => {
    const [row] = await market.database
      .as('postgres')
      .query<{ verdict: Verdict }>('select verdict from marketplace.versions where id = ?', [id])
    return row?.verdict as Verdict
  }

  it('is held with the reason before a person, is no dead letter, and the others are judged as ever', async function () {
    this.timeout(60_000)
    const slow = await market.upload({ name: 'slow', mode: 'manual', command: SLOW })
    const others = []
    for (const name of ['one', 'two', 'three']) others.push(await market.upload({ name, mode: 'manual' }))
    for (const { id } of [slow, ...others])
      await eventually(`${id} is judged`, async () => (await verdictOf(id)) !== null, 30_000)

    const held = await verdictOf(slow.id)
    expect(held).to.include({ decision: 'review', digest: slow.digest, model: null })
    expect(held.checks.filter(({ status }) => status === 'ran').map(({ name }) => name)).to.deep.equal([
      'WPK-P2-001',
      'WPK-P2-002',
      'WPK-P2-009',
    ])
    expect(held.checks.find(({ name }) => name === 'analysis')).to.deep.include({
      status: 'failed',
      detail: 'analysis_timeout: no verdict within 500 ms',
    })
    const shown = (
      await market.call<{ status: string; reason: string }>('GET', `/wpk/${slow.id}`, { as: market.tokens.demo })
    ).body
    expect(shown.status).to.equal('in_review')
    expect(shown.reason).to.contain('not every check ran: analysis')
    const owner = market.database.as('postgres')
    expect(await owner.query('select 1 from platform.dead_letters')).to.deep.equal([])
    const kept = await owner.query<{ decision: string }>(
      `select decision from governance.verdicts where version_id = ?`,
      [slow.id],
    )
    expect(kept).to.deep.equal([{ decision: 'review' }])

    for (const { id } of others) expect((await verdictOf(id)).checks.at(-1)?.name).to.equal('model')
  })
})
