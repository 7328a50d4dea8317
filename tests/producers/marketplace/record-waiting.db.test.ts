import { expect } from 'chai'
import { createMetrics } from '../../../platform/metrics.ts'
import { measureRecord } from '../../../producers/marketplace/record/measure-record.ts'
import { publishWaiting } from '../../../producers/marketplace/record/publish-waiting.ts'
import { eventually } from '../../support/eventually.ts'
import { type Marketplace, openMarketplace, verdictOf } from './fixture.ts'

type Seen = { status: string; next_step: string; waits_for: string | null; published_at: string | null }

describe('producers/marketplace: while the signing key is out of reach', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    await market.judging((_, digest) => verdictOf(digest))
  })
  after(() => market.close())
  afterEach(() => market.registryKey.reachable(true))

  const all = () => market.database.as('atom_marketplace')
  const show = async (id: string) => (await market.call<Seen>('GET', `/wpk/${id}`, { as: market.tokens.demo })).body
  const publish = () => publishWaiting({ db: all(), now: market.clock, wake: () => {} })
  const outage = () => all().query<{ code: string }>('select code from marketplace.signing_outage')
  const told = async (name: string) =>
    (
      await all().query<{ n: number }>(
        `select count(*)::int as n from platform.event_log where key = ? and headers->>'ce_type' = 'wpk.published'`,
        [name],
      )
    )[0]?.n
  const approve = (id: string) =>
    market.call('POST', `/wpk/review/${id}`, {
      as: market.tokens.reviewer,
      json: { decision: 'approve', justification: 'read whole' },
    })
  const keepRecord = () =>
    market.keepRecord().then(
      () => 'recorded',
      (error: Error) => error.message,
    )
  const waits = (id: string) =>
    eventually(`${id} waits`, async () => ((await show(id)).waits_for === 'signing_key' ? await show(id) : false))
  const gauge = async (name: string) => {
    const metrics = createMetrics()
    await measureRecord(all(), metrics, market.clock)()
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metrics.text())?.[1])
  }

  async function keyGoesAway(): Promise<void> {
    market.registryKey.reachable(false)
    await market.upload({ name: `finds-out-${Math.round(market.clock().getTime())}` }).then(async ({ id }) => {
      await market.statusBecomes(id, 'in_review')
    })
    expect(await keepRecord()).to.equal('the key cannot be reached')
    expect(await outage()).to.deep.equal([{ code: 'key_unusable' }])
    market.clock.advance(1_000)
  }

  it('accepts uploads and decisions, publishes nothing, says why, and goes on by itself: a person’s decision', async () => {
    await keyGoesAway()
    const { id } = await market.upload({ name: 'waits-for-key' })
    await market.statusBecomes(id, 'in_review')
    expect((await approve(id)).status).to.equal(200)
    const seen = await waits(id)
    expect(seen).to.include({ status: 'approved', published_at: null })
    expect(seen.next_step).to.contain('The key that the marketplace signs decisions with is out of reach')
    expect([await publish(), await told('waits-for-key'), await gauge('atom_versions_waiting_for_key')]).to.deep.equal([
      0, 0, 1,
    ])
    expect(await gauge('atom_record_waiting')).to.be.greaterThan(1)

    market.registryKey.reachable(true)
    expect([await publish(), await keepRecord(), await outage()]).to.deep.equal([0, 'recorded', []])
    const counts = await Promise.all([publish(), publish(), publish()])
    expect(counts.reduce((sum, n) => sum + n)).to.equal(1)
    expect(await show(id)).to.include({ status: 'published', waits_for: null, next_step: 'Everybody can use it.' })
    expect([await told('waits-for-key'), await gauge('atom_versions_waiting_for_key')]).to.deep.equal([1, 0])
    const { body } = await market.call<{ attestations: object[] }>('GET', `/wpk/${id}/verdict`, {
      as: market.tokens.demo,
    })
    expect(body.attestations).to.have.length(2)
  })

  it('does the same with what a machine may publish', async () => {
    const first = await market.upload({ name: 'machine-waits', mode: 'manual' })
    await market.statusBecomes(first.id, 'in_review')
    await approve(first.id)
    await market.statusBecomes(first.id, 'published')
    await keyGoesAway()
    const next = await market.upload({ name: 'machine-waits', version: '1.0.1', mode: 'manual' })
    expect(await waits(next.id)).to.include({ status: 'approved', published_at: null })
    expect(await told('machine-waits')).to.equal(1)
    market.registryKey.reachable(true)
    await keepRecord()
    expect(await publish()).to.equal(1)
    expect(await show(next.id)).to.include({ status: 'published', waits_for: null })
    expect(await told('machine-waits')).to.equal(2)
  })

  it('publishes a version and tells of it together, or neither', async () => {
    await keyGoesAway()
    const { id } = await market.upload({ name: 'torn' })
    await market.statusBecomes(id, 'in_review')
    await approve(id)
    await waits(id)
    market.registryKey.reachable(true)
    await keepRecord()
    const owner = market.database.as('postgres')
    await owner.query(`create function platform.test_refuse() returns trigger language plpgsql as $$
      begin raise exception 'the disk is full'; end $$`)
    await owner.query(`create trigger test_refuse before insert on platform.event_log
      for each row when (new.key = 'torn') execute function platform.test_refuse()`)
    expect(await publish().catch((error: Error) => error.message)).to.contain('the disk is full')
    expect([(await show(id)).status, await told('torn')]).to.deep.equal(['approved', 0])
    await owner.query('drop trigger test_refuse on platform.event_log')
    expect([await publish(), (await show(id)).status, await told('torn')]).to.deep.equal([1, 'published', 1])
  })

  it('waits on while the publisher is suspended, whose decision is signed by then', async () => {
    await keyGoesAway()
    const { id } = await market.upload({ name: 'suspended-meanwhile' })
    await market.statusBecomes(id, 'in_review')
    await approve(id)
    await waits(id)
    const suspend = (act: string) =>
      market.call('POST', `/orgs/demo/${act}`, { as: market.tokens.admin, json: { reason: 'to be looked into' } })
    expect((await suspend('suspend')).status).to.equal(200)
    market.registryKey.reachable(true)
    await keepRecord()
    expect([await publish(), await told('suspended-meanwhile')]).to.deep.equal([0, 0])
    expect((await suspend('reactivate')).status).to.equal(200)
    expect([await publish(), await told('suspended-meanwhile')]).to.deep.equal([1, 1])
  })

  it('has no row that a caller of the marketplace could read or write', async () => {
    const app = market.database.as('atom_app')
    for (const sql of ['select 1 from marketplace.signing_outage', 'delete from marketplace.signing_outage'])
      expect(await app.query(sql).catch((error: Error) => error.message)).to.contain('permission denied')
  })
})
