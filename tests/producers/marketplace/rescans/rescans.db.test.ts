import { expect } from 'chai'
import type { Analyzer } from '../../../../consumers/governance/analyzer.ts'
import { announceAnalyzer } from '../../../../consumers/governance/rescans/announce-analyzer.ts'
import { onRescanRequested } from '../../../../consumers/governance/rescans/on-rescan-requested.ts'
import { RULESET } from '../../../../consumers/governance/rules/index.ts'
import { openEmbeddedBus } from '../../../../platform/bus/embedded.ts'
import { type RunningConsumer, runConsumer } from '../../../../platform/bus/runner.ts'
import type { Db } from '../../../../platform/db.ts'
import { createMetrics } from '../../../../platform/metrics.ts'
import { measureRescans } from '../../../../producers/marketplace/rescans/measure-rescans.ts'
import { requestRescans } from '../../../../producers/marketplace/rescans/request-rescans.ts'
import { publicTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import type { Origin } from '../../../../schemas/origin.ts'
import type { Verdict } from '../../../../schemas/verdict.ts'
import { eventually } from '../../../support/eventually.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { type Marketplace, openMarketplace, verdictOf } from '../fixture.ts'

const MODEL = { version: '2.0.0', sha256: 'b'.repeat(64) }
type Round = { id: string; replaced_at: string | null; versions: Record<string, number>; to_settle: number }
type Worse = {
  id: string
  wpk: { name: string; status: string }
  before: { decision: string } | null
  after: { decision: string }
  reasons: string[]
}

describe('producers/marketplace: new verdicts on stored versions', () => {
  let market: Marketplace
  let all: Db
  let consumer: RunningConsumer | null = null
  /** What the new analyzer says of a digest; harmless unless a test says otherwise. */
  const says = new Map<string, Partial<Verdict>>()
  const ids: Record<string, string> = {}
  const wake = () => {}

  beforeEach(async function () {
    this.timeout(60_000)
    says.clear()
    market = await openMarketplace()
    all = market.database.as('atom_marketplace')
    await market.judging((_name, digest) => verdictOf(digest))
    for (const name of ['first', 'second', 'third']) ids[name] = await published(name)
  })
  afterEach(async () => {
    await consumer?.stop()
    consumer = null
    await market?.close()
  })

  const owner = <R>(sql: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(sql, bindings)
  const published = async (name: string): Promise<string> => {
    const { id } = await market.upload({ name, mode: 'manual' })
    await market.statusBecomes(id, 'in_review')
    const json = { decision: 'approve', justification: 'Read it all.' }
    await market.call('POST', `/wpk/review/${id}`, { as: market.tokens.reviewer, json })
    await market.statusBecomes(id, 'published')
    return id
  }

  const announce = (sha256 = MODEL.sha256) =>
    announceAnalyzer({
      db: market.database.as('atom_governance'),
      analyzer: { models: () => [{ ...MODEL, sha256 }] as never },
      now: market.clock,
      wake,
    })
  const ask = (perMinute = 120, db = all) =>
    requestRescans({ db, now: market.clock, wake, perMinute, trustRoot: publicTrustRoot })

  /** The analyzer as a consumer group; it may be stopped and another started, as after a death. */
  async function analyze(sha256 = MODEL.sha256): Promise<void> {
    const db = market.database.as('atom_governance')
    const { log } = recordingLog()
    const bus = openEmbeddedBus({ server: market.database.server, log, appender: db, dbFor: () => db })
    const analyzer = {
      analyze: async (bytes: Uint8Array) => {
        const { name } = JSON.parse(Buffer.from(bytes).toString()).metadata
        const { digest } = (
          await owner<{ digest: string }>('select digest from marketplace.versions where name = ?', [name])
        )[0] as { digest: string }
        return verdictOf(digest, { ruleset: RULESET, model: { ...MODEL, sha256 }, ...says.get(name) })
      },
    } as unknown as Analyzer
    const running = await runConsumer({
      bus,
      db,
      group: 'governance',
      handlers: [onRescanRequested({ db, analyzer, now: market.clock })],
      log,
      metrics: createMetrics(),
      now: market.clock,
    })
    consumer = {
      ...running,
      stop: async () => {
        await running.stop()
        await bus.close()
      },
    }
  }

  const begun = (count = 1) =>
    eventually('the round has begun', async () => (await rounds()).length === count && (await rounds())[0])
  const rounds = async () =>
    (await market.call<{ rescans: Round[] }>('GET', '/rescans', { as: market.tokens.reviewer })).body.rescans
  const worse = async () =>
    (await market.call<{ rescans: Worse[] }>('GET', '/reviews/rescans', { as: market.tokens.reviewer })).body.rescans
  const states = async () =>
    owner<{ name: string; state: string }>(
      `select v.name, r.state from marketplace.rescanned_versions r join marketplace.versions v on v.id = r.version_id
       order by r.place, r.rescan_id`,
    )
  const answered = (count: number) =>
    eventually(`${count} are answered`, async () => {
      const found = await states()
      return found.filter(({ state }) => state !== 'waiting' && state !== 'asked').length === count && found
    })
  const asked = async () =>
    (
      await owner<{ key: string }>(
        `select key from platform.event_log where headers->>'ce_type' = 'rescan.requested' order by xid, pos`,
      )
    ).map(({ key }) => key)

  it('are asked for when the analyzer changes, the most downloaded first, once, however often it is told', async () => {
    for (const [name, count] of [
      ['first', 5],
      ['third', 2],
      ['third', 4],
    ] as const)
      await owner(`insert into marketplace.downloads (org, version_id, day, count) values ('demo', ?, ?, ?)`, [
        ids[name],
        `2026-10-0${count}`,
        count,
      ])
    const told = await Promise.all([announce(), announce()])
    expect(told.filter(Boolean)).to.have.length(1)
    expect(await announce()).to.equal(false)
    expect((await begun()).versions).to.include({ waiting: 3, asked: 0 })
    const both = await Promise.all([ask(), ask()])
    expect(both[0] + both[1]).to.equal(3)
    expect((await asked()).toSorted()).to.deep.equal(['first', 'second', 'third'])
    expect((await states()).map(({ name }) => name)).to.deep.equal(['third', 'first', 'second'])
    await analyze()
    await answered(3)
    const traces = await owner<{ traced: boolean }>(
      `select headers->>'traceparent' is not null as traced from platform.event_log
       where headers->>'ce_type' in ('analyzer.changed', 'rescan.requested', 'wpk.rescanned')`,
    )
    expect(traces.map(({ traced }) => traced)).to.deep.equal(Array(7).fill(true))
    expect((await rounds())[0]).to.deep.include({
      versions: { waiting: 0, asked: 0, same: 3, better: 0, worse: 0 },
      to_settle: 0,
    })
    expect(await owner('select 1 from governance.verdicts')).to.have.length(3)
    expect(await worse()).to.deep.equal([])
  })

  it('come at their own pace, and after what was uploaded', async () => {
    await announce()
    await begun()
    expect(await ask(0)).to.equal(0)
    expect(await ask(2)).to.equal(2)
    expect(await ask(2)).to.equal(0)
    market.clock.advance(61_000)
    await owner(`update marketplace.versions set status = 'submitted' where id = ?`, [ids.second])
    expect(await ask(2), 'an upload waits for its verdict').to.equal(0)
    await owner(`update marketplace.versions set status = 'published' where id = ?`, [ids.second])
    expect(await ask(2)).to.equal(1)
    expect((await asked()).length).to.equal(3)
  })

  it('that are worse change no state: a reviewer is shown them and settles them', async () => {
    const grave = {
      rule_id: 'WPK-P2-005',
      policy: 'P-2',
      severity: 'critical',
      confidence: 'high',
      pointer: '/spec/handlers/0/config/command',
      message: 'runs what it fetched',
      remediation: 'Vendor it.',
      fingerprint: 'c'.repeat(64),
    } as const
    says.set('second', { decision: 'block', risk_score: 0.9, violations: [grave] })
    says.set('third', {
      decision: 'review',
      checks: [{ name: 'analysis', version: '1', status: 'failed', detail: 'too slow' }],
    })
    await announce()
    await begun()
    await ask()
    await analyze()
    await answered(3)
    const found = await worse()
    expect(found.map(({ id }) => id).toSorted()).to.deep.equal([ids.second, ids.third].toSorted())
    const second = found.find(({ id }) => id === ids.second)
    expect(second).to.deep.include({
      reasons: ['pass became block', 'critical WPK-P2-005 at /spec/handlers/0/config/command'],
    })
    expect(second?.before?.decision).to.equal('pass')
    expect(second?.after.decision).to.equal('block')
    expect(second?.wpk.status).to.equal('published')
    expect(found.find(({ id }) => id === ids.third)?.reasons).to.include('analysis could not run: too slow')
    const kept = await owner<{ verdict: Verdict }>('select verdict from marketplace.versions where id = ?', [
      ids.second,
    ])
    expect(kept[0]?.verdict.decision, 'the verdict it was decided on').to.equal('pass')

    const metrics = createMetrics()
    await measureRescans(all, metrics)()
    expect(await metrics.text()).to.contain('atom_rescanned_versions{state="worse"} 2')

    const settle = (json: object, as = market.tokens.reviewer, id = ids.third) =>
      market.call<{ code: string; settled_by: string; status: string }>('POST', `/reviews/rescans/${id}`, { as, json })
    expect((await settle({ justification: 'Known; it is only slow.' }, market.tokens.demo)).status).to.equal(403)
    const first = await settle({ justification: 'Known; it is only slow.' })
    expect(first.body).to.include({ status: 'published', settled_by: 'atom-reviewer@atom' })
    expect((await settle({ justification: 'Known; it is only slow.' })).body).to.deep.equal(first.body)
    expect((await settle({ justification: 'Other.' })).body.code).to.equal('already_decided')
    expect((await settle({ justification: 'None.' }, undefined, ids.first)).body.code).to.equal('already_decided')
    await market.call('POST', `/wpk/${ids.second}/block`, {
      as: market.tokens.reviewer,
      json: { reason: 'Fetches code.' },
    })
    expect(await worse()).to.deep.equal([])
  })

  it('survive a death in the middle, and a later change takes over what still waits', async () => {
    await announce()
    await begun()
    const dying: Db = {
      ...all,
      transaction: (work, options) =>
        all.transaction(async (tx) => {
          await work(tx)
          throw new Error('died before its commit')
        }, options),
    }
    await ask(120, dying).then(
      () => expect.fail('it should have died'),
      (error: Error) => expect(error.message).to.equal('died before its commit'),
    )
    expect(await asked()).to.deep.equal([])
    expect(await ask(1)).to.equal(1)
    await analyze()
    await answered(1)
    await consumer?.stop()
    market.clock.advance(61_000)
    expect(await ask(1), 'asked, and nobody there to answer').to.equal(1)
    await announce('d'.repeat(64))
    const [now, before] = await begun(2).then(rounds)
    expect(before?.replaced_at).to.be.a('string')
    expect(before?.versions).to.include({ waiting: 0, asked: 1, same: 1 })
    expect(now?.versions).to.include({ waiting: 3 })
    market.clock.advance(61_000)
    await ask()
    await analyze('d'.repeat(64))
    await answered(5)
    expect((await rounds()).map(({ versions }) => versions.same)).to.deep.equal([3, 2])
    // Back to what judged before: nothing is judged twice by the same rule set and model that has judged it.
    await announce()
    expect((await begun(3)).versions.waiting).to.equal(2)
  })

  it('take along what is true of signature, signer and name today', async () => {
    const originOf = async (name: string, type: string) =>
      (
        await owner<{ origin: Origin }>(
          `select convert_from(value, 'utf8')::jsonb->'origin' as origin from platform.event_log where key = ? and headers->>'ce_type' = ? order by xid, pos`,
          [name, type],
        )
      ).at(-1)?.origin
    const good = { signature: 'verified', signer: 'registered' }
    for (const name of ['first', 'second', 'third']) expect(await originOf(name, 'wpk.submitted')).to.deep.equal(good)

    // A name that passes for an older one, a signer revoked from before it signed, and hands in the database.
    const older = await market.upload({ name: 'restart-unhealthy', mode: 'manual' }, 'acme')
    await market.statusBecomes(older.id, 'in_review')
    market.clock.advance(1_000)
    const allow = { org: 'demo', reason: 'It is the name of their product.' }
    await market.call('POST', '/wpk/names/restart-unhealty/allow', { as: market.tokens.reviewer, json: allow })
    const alike = await market.upload({ name: 'restart-unhealty', mode: 'manual' })
    await market.statusBecomes(alike.id, 'in_review')
    await announce()
    await begun()
    await owner('alter table marketplace.versions disable trigger versions_stay')
    await owner(
      `update marketplace.versions set signature = jsonb_set(signature, '{signature}', '"AAAA"') where name = 'first'`,
    )
    await owner(`update marketplace.versions set signature = signature - 'signature' where name = 'second'`)
    await owner(`update marketplace.signing_keys set revoked_at = ? where key_id = ?`, [
      new Date('2026-01-01T00:00:00Z'),
      market.keys.acme.keyId,
    ])
    await analyze()
    expect(await ask()).to.equal(4)
    await answered(4)
    expect(await ask()).to.equal(1)
    expect(await originOf('first', 'rescan.requested')).to.include({ signature: 'invalid', signer: 'not_judged' })
    expect(await originOf('second', 'rescan.requested')).to.include({ signature: 'missing', signer: 'not_judged' })
    expect(await originOf('third', 'rescan.requested')).to.deep.equal(good)
    const revoked = await originOf('restart-unhealthy', 'rescan.requested')
    expect(revoked).to.include({ signature: 'not_judged', signer: 'not_registered' })
    expect(revoked?.detail).to.contain('revoked from 2026-01-01')
    // Acme's name is nobody's to know of: nothing of it is public yet.
    for (const type of ['wpk.submitted', 'rescan.requested'])
      expect(await originOf(alike.name, type), type).to.deep.equal({ ...good, alike: {} })

    const found = await eventually('the answers are there', async () => {
      const all = await worse()
      return all.length === 4 && new Map(all.map(({ wpk, reasons }) => [wpk.name, reasons.join()]))
    })
    expect(found.get('first')).to.contain('critical WPK-P2-001 at /metadata')
    expect(found.get('second')).to.contain('critical WPK-P2-001 at /metadata')
    expect(found.get('restart-unhealthy')).to.contain('critical WPK-P2-002 at /metadata')
    expect(found.get('restart-unhealty')).to.contain('high WPK-P2-009 at /metadata/name')
  })

  it('are nothing of others: who publishes sees neither rounds nor lists', async () => {
    for (const path of ['/rescans', '/reviews/rescans'])
      expect((await market.call('GET', path, { as: market.tokens.demo })).status, path).to.equal(403)
  })
})
