import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { type Analyzer, openAnalyzer } from '../../../../consumers/governance/analyzer.ts'
import { onSubmitted } from '../../../../consumers/governance/on-submitted.ts'
import { announceAnalyzer } from '../../../../consumers/governance/rescans/announce-analyzer.ts'
import { onRescanRequested } from '../../../../consumers/governance/rescans/on-rescan-requested.ts'
import type { Bus } from '../../../../platform/bus/bus.ts'
import { type RunningConsumer, runConsumer } from '../../../../platform/bus/runner.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { marketplaceHandlers } from '../../../../producers/marketplace/index.ts'
import { requestRescans } from '../../../../producers/marketplace/rescans/request-rescans.ts'
import { publicTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import type { TestDatabase } from '../../../support/database.ts'
import { eventually } from '../../../support/eventually.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { type Marketplace, openMarketplace } from '../fixture.ts'

export type RescanBackend = { busOf: (role: 'atom_marketplace' | 'atom_governance') => Bus; close: () => Promise<void> }

const shipped = new URL('../../../../consumers/governance/model/', import.meta.url)

/** The shipped model with another intercept: as real as it is, and far stricter. The weights of former ones are not kept. */
async function stricterModel(): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'atom-test-model-'))
  const bytes = await readFile(new URL('model.onnx', shipped))
  const at = bytes.indexOf('intercepts') + 'intercepts'.length
  // Two floats, each behind its tag: of the harmless and of the risky class.
  expect([bytes[at], bytes[at + 5]]).to.deep.equal([0x3d, 0x3d])
  const intercept = 4
  bytes.writeFloatLE(-intercept, at + 1)
  bytes.writeFloatLE(intercept, at + 6)
  const card = JSON.parse(await readFile(new URL('model.json', shipped), 'utf8'))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await writeFile(join(folder, 'model.onnx'), bytes)
  await writeFile(join(folder, 'model.json'), JSON.stringify({ ...card, version: '9.0.0', sha256, intercept }))
  return pathToFileURL(`${folder}/`)
}

/** One suite for both buses: what two real analyzers say of what is stored, one after the other. */
export function twoModelsContract(
  backend: string,
  open: (market: Marketplace, database: TestDatabase) => Promise<RescanBackend>,
): void {
  describe(`${backend}: stored packages under another model`, () => {
    let market: Marketplace
    let opened: RescanBackend
    let strict: URL
    const consumers: RunningConsumer[] = []
    const analyzers: Analyzer[] = []

    before(async function () {
      this.timeout(120_000)
      market = await openMarketplace()
      opened = await open(market, market.database)
      strict = await stricterModel()
    })
    after(async () => {
      for (const one of consumers.splice(0)) await one.stop()
      for (const one of analyzers) await one.close()
      await opened?.close()
      await market?.close()
      if (strict) await rm(strict, { recursive: true, force: true })
    })

    const owner = <R>(sql: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(sql, bindings)
    const consume = async (
      role: 'atom_marketplace' | 'atom_governance',
      group: string,
      handlers: Parameters<typeof runConsumer>[0]['handlers'],
    ): Promise<RunningConsumer> => {
      const running = await runConsumer({
        bus: opened.busOf(role),
        db: market.database.as(role),
        group,
        handlers,
        log: recordingLog().log,
        metrics: createMetrics(),
        now: market.clock,
      })
      consumers.push(running)
      return running
    }

    /** The governance service with this model: its consumer group, and what it says at its start. */
    async function govern(modelDirectory: URL): Promise<{ sha256: string; stop: () => Promise<void> }> {
      const analyzer = await openAnalyzer({ modelDirectory })
      analyzers.push(analyzer)
      const db = market.database.as('atom_governance')
      const deps = { db, analyzer, now: market.clock }
      const running = await consume('atom_governance', 'governance', [onSubmitted(deps), onRescanRequested(deps)])
      expect(await announceAnalyzer({ ...deps, wake: opened.busOf('atom_governance').wake })).to.equal(true)
      const sha256 = analyzer.models()[0]?.sha256 ?? ''
      return {
        sha256,
        async stop() {
          consumers.splice(consumers.indexOf(running), 1)
          await running.stop()
        },
      }
    }

    const published = async (name: string): Promise<string> => {
      const { id } = await market.upload({ name, mode: 'manual' })
      opened.busOf('atom_marketplace').wake()
      await market.statusBecomes(id, 'in_review')
      const json = { decision: 'approve', justification: 'Read it all.' }
      await market.call('POST', `/wpk/review/${id}`, { as: market.tokens.reviewer, json })
      opened.busOf('atom_marketplace').wake()
      await market.statusBecomes(id, 'published')
      return id
    }

    it('are judged anew, the most downloaded first, and stay published until a person says otherwise', async () => {
      await consume('atom_marketplace', 'marketplace', marketplaceHandlers({ now: market.clock }))
      const first = await govern(shipped)
      const ids: Record<string, string> = {}
      for (const name of ['seldom', 'often', 'never']) ids[name] = await published(name)
      for (const [name, count] of [
        ['seldom', 2],
        ['often', 9],
      ] as const)
        await owner(
          `insert into marketplace.downloads (org, version_id, day, count) values ('demo', ?, '2026-11-01', ?)`,
          [ids[name], count],
        )
      const before = await owner<{ id: string; verdict: unknown }>(
        'select id, verdict from marketplace.versions order by id',
      )
      await first.stop()

      const second = await govern(strict)
      expect(second.sha256).not.to.equal(first.sha256)
      const asked: string[] = []
      const db = market.database.as('atom_marketplace')
      for (const expected of ['often', 'seldom', 'never']) {
        await eventually(`${expected} is asked for and answered`, async () => {
          market.clock.advance(61_000)
          const wake = opened.busOf('atom_marketplace').wake
          await requestRescans({ db, now: market.clock, wake, perMinute: 1, trustRoot: publicTrustRoot })
          const [next] = await owner<{ name: string }>(
            `select v.name from marketplace.rescanned_versions r join marketplace.versions v on v.id = r.version_id
             where r.state not in ('waiting', 'asked') and not (v.name = any(?)) order by r.answered_at`,
            [asked],
          )
          if (next !== undefined) asked.push(next.name)
          return next !== undefined
        })
      }
      expect(asked).to.deep.equal(['often', 'seldom', 'never'])

      const kept = await owner<{ model_sha256: string; n: number }>(
        'select model_sha256, count(*)::int as n from governance.verdicts group by 1 order by 1',
      )
      expect(kept).to.have.deep.members([
        { model_sha256: first.sha256, n: 3 },
        { model_sha256: second.sha256, n: 3 },
      ])
      const { body } = await market.call<{
        rescans: { wpk: { name: string; status: string }; before: { decision: string }; after: { decision: string } }[]
      }>('GET', '/reviews/rescans', { as: market.tokens.reviewer })
      expect(
        body.rescans.map(({ wpk, before, after }) => [wpk.name, wpk.status, before.decision, after.decision]),
      ).to.have.deep.members(['often', 'seldom', 'never'].map((name) => [name, 'published', 'pass', 'review']))
      const states = await owner<{ status: string }>('select distinct status from marketplace.versions')
      expect(states).to.deep.equal([{ status: 'published' }])
      expect(
        await owner('select id, verdict from marketplace.versions order by id'),
        'the verdicts that were decided on',
      ).to.deep.equal(before)
    }).timeout(120_000)
  })
}
