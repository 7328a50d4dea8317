import { expect } from 'chai'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { eventually } from '../../support/eventually.ts'
import { openReplayWorld, type ReplayBackend, type ReplayWorld } from './replay-world.ts'

/** A range of the log goes to one group again, or is only compared with what it counted: the same on both backends. */
export function replayContract(name: string, open: () => Promise<ReplayBackend>): void {
  describe(`replay contract: ${name}`, () => {
    let world: ReplayWorld
    beforeEach(async () => {
      world = await openReplayWorld(await open())
    })
    afterEach(() => world.close())

    const everything = { group: 'analytics', from: 'earliest', to: 'latest' }
    const HOUR = new Date(Math.floor(Date.now() / 3_600_000 - 5) * 3_600_000).toISOString()

    it('plans counts, time span and side effects first, and changes nothing', async () => {
      for (const n of [1, 2, 3]) await world.life(n)
      await world.read()
      const { status, body } = await world.post('replays', { ...everything, topics: ['atom.wpk'] })
      expect(status).to.equal(200)
      expect(body.plan).to.deep.include({
        events: 11,
        complete: true,
        tables: ['read.packages'],
        emits: [],
        refused: null,
      })
      expect(
        body.plan.types.every(({ events, already_applied, handled }) => handled && events === already_applied),
      ).to.equal(true)
      expect(body.plan.handlers.map((one) => one.name)).to.include('analytics.packages.verdict')
      expect(Date.parse(body.plan.first_recorded_at ?? '')).to.be.greaterThan(Date.now() - 600_000)
      expect((await world.get<{ replays: object[] }>('replays')).replays).to.deep.equal([])
    })

    it('changes nothing where the group has applied every event', async () => {
      for (const n of [1, 2, 3, 4]) await world.life(n)
      await world.read()
      const before = await Promise.all(['packages', 'revenue', 'usage'].map((one) => world.contents(`read.${one}`)))
      world.work()
      const { done, applied } = await world.ended(await world.begin('replays', everything), 'done')
      expect({ done: done > 0, applied }).to.deep.equal({ done: true, applied: 0 })
      const after = await Promise.all(['packages', 'revenue', 'usage'].map((one) => world.contents(`read.${one}`)))
      expect(after).to.deep.equal(before)
    })

    it('applies what the group has missed, through its own handlers, and no other group sees it', async () => {
      await world.life(1)
      await world.read()
      const right = await world.contents('read.packages')
      const metering = () => world.contents("(select * from platform.inbox where consumer_group = 'metering')")
      const cursors = () => world.contents('(select consumer_group, topic, partition, position from platform.cursors)')
      const [meteringBefore, cursorsBefore] = [await metering(), await cursors()]
      await world.owner("delete from platform.inbox where consumer_group = 'analytics'")
      await world.owner('delete from read.packages')
      const { body } = await world.post('replays', { ...everything, topics: ['atom.wpk'] })
      expect(body.plan.warnings.join()).to.contain('4 events were never applied')
      world.work()
      const { applied } = await world.ended(
        await world.begin('replays', { ...everything, topics: ['atom.wpk'] }),
        'done',
      )
      expect(applied).to.equal(4)
      expect(await world.contents('read.packages')).to.equal(right)
      expect([await metering(), await cursors()]).to.deep.equal([meteringBefore, cursorsBefore])
    })

    it('reads no more than the range, and no further than the group has read', async () => {
      for (const n of [1, 2, 3]) await world.life(n)
      await world.read()
      const planned = async (from: string, to: string) =>
        (await world.post('replays', { group: 'analytics', from, to, topics: ['atom.wpk'] })).body.plan.events
      expect(await planned('latest', 'latest')).to.equal(0)
      expect(await planned('earliest', 'earliest')).to.equal(0)
      expect(await planned('latest', 'earliest')).to.equal(0)
      expect(await planned('ago:1h', 'latest')).to.equal(11)
      expect(await planned('ago:2h', 'ago:1h')).to.equal(0)
      await world.owner("delete from platform.cursors where consumer_group = 'analytics' and topic = 'atom.wpk'")
      expect(await planned('earliest', 'latest')).to.equal(0)
    })

    it('refuses to hand money and publication their events again', async () => {
      await world.life(1)
      await world.read()
      for (const [body, detail] of [
        [{ ...everything, group: 'metering' }, 'shadow'],
        [{ ...everything, group: 'marketplace' }, 'must not see an event again'],
        [{ ...everything, mode: 'shadow' }, 'rebuild a projection'],
      ] as const) {
        const answer = await world.post<{ code: string; detail: string }>('replays', { ...body, execute: true })
        expect([answer.status, answer.body.code]).to.deep.equal([409, 'replay_refused'])
        expect(answer.body.detail).to.contain(detail)
      }
      expect((await world.post('replays', { ...everything, group: 'nobody' })).status).to.equal(404)
      for (const wrong of [{ from: 'then' }, { to: 'offset:nowhere' }, { topics: ['atom.usage'] }])
        expect((await world.post('replays', { ...everything, ...wrong })).status).to.equal(400)
      expect((await world.get<{ replays: object[] }>('replays')).replays).to.deep.equal([])
    })

    it('refuses what the inbox may have forgotten, in the plan and in the work', async () => {
      await world.life(1)
      await world.read()
      const old = world.create(wpkSubmitted, {
        name: 'package-old',
        id: '0192f6a0-0000-7000-8000-00000000aaaa',
      })
      await world.produce([
        wpkSubmitted,
        { ...old, time: new Date(Date.now() - 126 * 86_400_000).toISOString() },
      ] as never)
      await world.read()
      const all = { ...everything, topics: ['atom.wpk'] }
      expect((await world.post('replays', all)).body.plan.refused).to.equal(null)
      const asked = await world.begin('replays', all)
      await world.owner("delete from platform.inbox where consumer_group = 'analytics'")
      const before = await world.contents('read.packages')
      world.work()
      const { note } = await world.ended(asked, 'failed')
      expect(note).to.contain('longer ago than the inbox remembers')
      expect(await world.contents('(select 1 from read.packages)')).to.equal('(1)\n(1)')
      expect(await world.contents('read.packages')).to.equal(before)
      const { body } = await world.post('replays', all)
      expect(body.plan.refused).to.contain('1 events are older than the inbox remembers')
      const refused = await world.post('replays', { ...all, execute: true })
      expect(refused.body).to.include({ code: 'replay_refused' })
    })

    it('counts usage once more beside what was counted, and finds what is missing', async () => {
      const time = (minute: number) => HOUR.replace(':00:00', `:0${minute}:00`)
      await world.usage('acme', [
        { id: 'a', quantity: '1.5', time: time(1) },
        { id: 'b', quantity: '2', time: time(2) },
      ])
      await world.usage('acme', [{ id: 'a', quantity: '1.5', time: time(1) }])
      await world.usage('demo', [{ id: 'a', quantity: '7', time: time(3) }])
      await world.read()
      world.work()
      const shadow = { group: 'metering', from: 'earliest', to: 'latest', mode: 'shadow' }
      const before = await world.contents('metering.rollups')
      const counted = async () => (await world.ended(await world.begin('replays', shadow), 'done')).result
      expect(await counted()).to.deep.equal({ hours: 2, equal: 2, less: 0, missing: 0, more: 0, differences: [] })
      expect(await world.contents('metering.rollups')).to.equal(before)

      await world.owner("update metering.rollups set quantity = quantity - 1 where tenant = 'acme'")
      await world.owner("delete from metering.rollups where tenant = 'demo'")
      const damaged = await world.contents('metering.rollups')
      const found = await counted()
      expect(found).to.include({ hours: 2, equal: 0, less: 0, missing: 1, more: 1 })
      expect(found.differences).to.deep.include({
        tenant: 'acme',
        hour: HOUR,
        meter: 'runs',
        package: '',
        version: '',
        log: { quantity: '3.5', records: 2 },
        counted: { quantity: '2.5', records: 2 },
      })
      expect(await world.contents('metering.rollups')).to.equal(damaged)
      await eventually(
        'its tables are gone',
        async () => (await world.owner("select 1 from pg_tables where schemaname = 'metering_shadow'")).length === 0,
      )
    })

    it('pages the replays, the newest first', async () => {
      await world.life(1)
      await world.read()
      world.work()
      const ids: string[] = []
      for (let n = 0; n < 3; n++) {
        ids.unshift(await world.begin('replays', everything))
        await world.ended(ids[0] as string, 'done')
      }
      const first = await world.get<{ replays: { id: string }[]; next: string }>('replays?limit=2')
      const second = await world.get<{ replays: { id: string }[]; next: null }>(`replays?limit=2&cursor=${first.next}`)
      expect([...first.replays, ...second.replays].map(({ id }) => id)).to.deep.equal(ids)
      expect(second.next).to.equal(null)
      expect((await world.service.call('GET', '/data/replays/x', { as: world.as })).status).to.equal(404)
    })
  })
}
