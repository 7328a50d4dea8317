import { expect } from 'chai'
import fc from 'fast-check'
import { execute } from '../../../platform/db.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkVerdict } from '../../../schemas/events/wpk.verdict.ts'
import { eventually, gate } from '../../support/eventually.ts'
import { holds } from '../../support/property.ts'
import { openReplayWorld, type ReplayBackend, type ReplayWorld } from './replay-world.ts'

export const NAMES = ['packages', 'revenue', 'usage']
// Kafka's topics outlive a test: what an earlier one left is removed, which a rebuild rightly calls a loss.
export const REBUILD = { accept_loss: true }

/** Projections are built again beside the live ones and put in their place: the same words on both backends. */
export function rebuildContract(name: string, open: () => Promise<ReplayBackend>): void {
  describe(`rebuild contract: ${name}`, () => {
    let world: ReplayWorld
    beforeEach(async () => {
      world = await openReplayWorld(await open())
    })
    afterEach(() => world.close())

    const rebuild = (projection: string, more: object = {}) =>
      world.begin(`projections/${projection}/rebuild`, { ...REBUILD, ...more })

    it('plans without doing anything: events by type, tables, and what the group knows already', async () => {
      for (const n of [1, 2, 3]) await world.life(n)
      await world.read()
      const { status, body } = await world.post('projections/packages/rebuild', REBUILD)
      expect(status).to.equal(200)
      expect(body).to.include({ executed: false })
      expect(
        body.plan.types.map(({ type, events, already_applied }) => `${type} ${events}/${already_applied}`),
      ).to.deep.equal([
        'wpk.published 1/1',
        'wpk.rejected 1/1',
        'wpk.reviewed 3/3',
        'wpk.submitted 3/3',
        'wpk.verdict 3/3',
      ])
      expect(body.plan).to.deep.include({ events: 11, complete: true, tables: ['read.packages'], emits: [] })
      expect((await world.get<{ replays: object[] }>('replays')).replays).to.deep.equal([])
    })

    it('gives the same rows from whatever happened, with an equal checksum', async () => {
      world.work()
      await holds(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 12 }), async (lives) => {
          for (const n of lives) await world.life(n)
          await world.read()
          for (const projection of NAMES) {
            const before = await world.contents(`read.${projection}`)
            const { state, result } = await world.ended(await rebuild(projection), 'done', 'paused', 'failed')
            expect({ state, equal: result.equal }).to.deep.equal({ state: 'done', equal: true })
            expect(result.tables[0]?.shadow).to.deep.equal(result.tables[0]?.live)
            expect(await world.contents(`read.${projection}`)).to.equal(before)
          }
        }),
        3,
      )
    })

    it('has what came meanwhile, with two processes at it and the live projection going on', async () => {
      for (let n = 1; n <= 8; n++) await world.life(n)
      await world.read()
      const id = await rebuild('packages')
      world.work(1)
      world.work(2)
      for (let n = 9; n <= 16; n++) await world.life(n)
      await world.read()
      const { result, done, applied } = await world.ended(id, 'done')
      expect(result.equal).to.equal(true)
      // 16 lives: 3 events each, and one more of those that were approved or rejected.
      expect({ done, applied }).to.deep.equal({ done: 59, applied: 59 })
      await world.life(17)
      await world.read()
      const [{ n } = { n: 0 }] = await world.owner<{ n: number }>('select count(*)::int as n from read.packages')
      expect(n).to.equal(17)
    })

    it('compares only when nobody is writing to the live tables', async () => {
      await world.life(1)
      await world.read()
      const writing = gate()
      const wrote = gate()
      const sql =
        "insert into read.packages values ('demo', gen_random_uuid(), 'late', '1', 'submitted', null, null, '[]', null, now())"
      const writer = world.database.as('atom_analytics').transaction(async (tx) => {
        await execute(tx, sql)
        wrote.open()
        await writing.opened
      })
      await wrote.opened
      const id = await rebuild('packages')
      world.work()
      const waiting = `select 1 from pg_locks where not granted and mode = 'ShareRowExclusiveLock'
        and relation = 'read.packages'::regclass`
      await eventually('it waits for the writer', async () => (await world.owner(waiting)).length > 0)
      writing.open()
      await writer
      const { result } = await world.ended(id, 'paused')
      expect(result.tables[0]).to.include({ only_live: 1, only_shadow: 0 })
    })

    it('waits for a person where it differs from the live tables, and goes in when accepted', async () => {
      for (let n = 1; n <= 4; n++) await world.life(n)
      await world.read()
      const right = await world.contents('read.packages')
      await world.owner("update read.packages set status = 'yanked' where name = 'package-1'")
      await world.owner("delete from read.packages where name = 'package-2'")
      world.work()
      const id = await rebuild('packages')
      const { note, result } = await world.ended(id, 'paused')
      expect(note).to.contain('differs')
      expect(result.tables[0]).to.include({ only_live: 1, only_shadow: 2 })
      expect(await world.contents('read.packages')).to.not.equal(right)
      await world.life(5)
      await world.read()
      await world.post(`replays/${id}/resume`, { accept_difference: true })
      await world.ended(id, 'done')
      expect(await world.contents("(select * from read.packages where name <> 'package-5')")).to.equal(right)
      expect(await world.contents("(select name from read.packages where name = 'package-5')")).to.equal('(package-5)')
    })

    it('is taken back by a rollback, with what happened since, and the rollback too', async () => {
      for (let n = 1; n <= 4; n++) await world.life(n)
      await world.read()
      await world.owner("update read.packages set risk_score = 0.99 where name = 'package-1'")
      const wrong = await world.contents('read.packages')
      world.work()
      await world.ended(await rebuild('packages', { accept_difference: true }), 'done')
      const right = await world.contents('read.packages')
      expect(right).to.not.equal(wrong)
      await world.life(5)
      await world.read()
      const others = "(select * from read.packages where name <> 'package-5')"
      const fifth = "(select * from read.packages where name = 'package-5')"
      const new5 = await world.contents(fifth)
      await world.ended(await world.begin('projections/packages/rollback'), 'done')
      expect(await world.contents(others)).to.equal(wrong)
      expect(await world.contents(fifth)).to.equal(new5)
      await world.ended(await world.begin('projections/packages/rollback'), 'done')
      expect(await world.contents(others)).to.equal(right)
      expect(await world.contents(fifth)).to.equal(new5)
    })

    it('applies an event that lies in the log twice once', async () => {
      const twice = world.create(wpkSubmitted, { name: 'twice' })
      const verdict = world.create(wpkVerdict, { name: 'twice' })
      const published = world.create(wpkPublished, { name: 'twice' })
      await world.produce([wpkSubmitted, twice], [wpkVerdict, verdict], [wpkPublished, published] as never)
      await world.produce([wpkVerdict, verdict] as never)
      await world.read()
      const before = await world.contents('read.packages')
      expect(before).to.contain('published')
      world.work(1)
      const { result } = await world.ended(await rebuild('packages'), 'done')
      expect(result.equal).to.equal(true)
      expect(await world.contents('read.packages')).to.equal(before)
      await world.produce([wpkVerdict, verdict] as never)
      await world.read()
      await world.ended(await world.begin('projections/packages/rollback'), 'done')
      expect(await world.contents('read.packages')).to.equal(before)
    })
  })
}
