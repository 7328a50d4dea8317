import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { toRecord } from '../../../platform/bus/binary-mode.ts'
import { expireInbox } from '../../../platform/bus/retention.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { topics } from '../../../schemas/topics.ts'
import { eventually } from '../../support/eventually.ts'
import { NAMES, REBUILD } from './rebuild.contract.ts'
import { openReplayWorld, type ReplayBackend, type ReplayWorld } from './replay-world.ts'

const program = fileURLToPath(new URL('../../support/replay-process.ts', import.meta.url))

/** What may happen to a rebuild on its way: deaths, pauses, dead letters, lost events, people without the right. */
export function rebuildTroubleContract(name: string, open: () => Promise<ReplayBackend>): void {
  describe(`rebuild trouble contract: ${name}`, () => {
    let world: ReplayWorld
    beforeEach(async () => {
      world = await openReplayWorld(await open())
    })
    afterEach(() => world.close())

    const rebuild = (projection: string, more: object = {}) =>
      world.begin(`projections/${projection}/rebuild`, { ...REBUILD, ...more })

    for (const fault of ['replay.before-commit:3', 'replay.after-commit:3', 'replay.before-swap', 'replay.after-swap'])
      it(`is finished by another process after one died at ${fault}`, async () => {
        for (let n = 1; n <= 6; n++) await world.life(n)
        await world.read()
        const before = await world.contents('read.packages')
        const id = await rebuild('packages')
        await died(world, fault)
        const found = await world.get(`replays/${id}`)
        expect(found.state).to.equal(fault === 'replay.after-swap' ? 'done' : 'running')
        expect(found.done).to.be.greaterThan(0)
        world.work()
        const { result, done } = await world.ended(id, 'done')
        expect(result.equal).to.equal(true)
        expect(await world.contents('read.packages')).to.equal(before)
        const [{ n } = { n: 0 }] = await world.owner<{ n: number }>(
          "select sum(1)::int as n from platform.inbox where consumer_group = 'analytics.shadow.' || ?",
          [id],
        )
        // Every event was counted once, and marked once.
        expect(done).to.equal(n)
      })

    it('rests while paused, goes on when resumed, and leaves nothing behind when cancelled', async () => {
      for (let n = 1; n <= 4; n++) await world.life(n)
      await world.read()
      const id = await rebuild('packages')
      world.work(1)
      await eventually('it has begun', async () => (await world.get(`replays/${id}`)).done > 2)
      const paused = await world.post<{ state: string; done: number; left: number }>(`replays/${id}/pause`)
      expect(paused.body.state).to.equal('paused')
      // Another one from beginning to end: the worker had its chance to go on with the first.
      await world.ended(await rebuild('usage'), 'done')
      const rested = await world.get(`replays/${id}`)
      expect(rested.done).to.equal(paused.body.done)
      expect(rested.total).to.equal(rested.done + rested.left)
      expect((await world.post(`replays/${id}/pause`)).body).to.include({ code: 'replay_state' })
      expect((await world.post('projections/packages/rebuild', { ...REBUILD, execute: true })).body).to.include({
        code: 'replay_open',
      })
      await world.post(`replays/${id}/resume`)
      expect((await world.ended(id, 'done')).result.equal).to.equal(true)

      await world.rest()
      const second = await rebuild('packages')
      await world.post(`replays/${second}/cancel`)
      world.work()
      await eventually('its tables are gone', async () =>
        (await tables()).every((one) => one !== 'read_shadow.packages'),
      )
      expect(
        await world.owner('select 1 from platform.inbox where consumer_group = ?', [`analytics.shadow.${second}`]),
      ).to.have.length(0)
      // What was live before the first rebuild is still there to go back to.
      await world.ended(await world.begin('projections/packages/rollback'), 'done')
    })

    const tables = async () =>
      (
        await world.owner<{ name: string }>(
          "select schemaname || '.' || tablename as name from pg_tables where schemaname like 'read%'",
        )
      ).map((one) => one.name)

    it('waits while the group has dead letters, and leaves out what was given up', async () => {
      await world.life(1)
      const bad = toRecord(world.create(wpkSubmitted, { name: 'bad' }), topics.wpk)
      await world.bus.produce([{ ...bad, value: Buffer.from('{"not": "a submission"}') }])
      await world.life(2)
      await world.read()
      const before = await world.contents('read.packages')
      world.work()
      const first = await rebuild('packages')
      const { note } = await world.ended(first, 'failed')
      expect(note).to.match(/^atom\.wpk\/\d from /)
      await world.post('dlq/discard', { group: 'analytics', reason: 'a test', execute: true })
      await world.post(`replays/${first}/resume`)
      const { result, left_out } = await world.ended(first, 'done')
      expect({ equal: result.equal, left_out }).to.deep.equal({ equal: true, left_out: 1 })
      expect(await world.contents('read.packages')).to.equal(before)

      await world.owner(
        `insert into platform.dead_letters
           (id, consumer_group, topic, partition, position, key, headers, value, code, reason, attempts, failed_at)
         values (gen_random_uuid(), 'analytics', 'atom.wpk', 0, '1:1', 'k', '{}', '', 'handler_failed', 'no', 6, now())`,
      )
      const second = await rebuild('packages')
      await eventually('it waits', async () => (await world.get(`replays/${second}`)).note?.includes('dead letter'))
      // What does not read that topic is not held up by it.
      await world.ended(await rebuild('usage'), 'done')
      await world.owner('delete from platform.dead_letters')
      await world.ended(second, 'done')
    })

    it('forgets the events of a rebuild when the inbox forgets those of its group', async () => {
      await world.life(1)
      await world.read()
      world.work()
      const id = await rebuild('packages')
      await world.ended(id, 'done')
      const known = () =>
        world.contents('(select distinct consumer_group from platform.inbox where consumer_group like $$analytics%$$)')
      expect(await known()).to.equal(`(analytics)\n(analytics.shadow.${id})`)
      const analytics = world.database.as('atom_analytics')
      await expireInbox(analytics, 'analytics', new Date(Date.now() + 120 * 86_400_000))
      expect(await known()).to.equal(`(analytics)\n(analytics.shadow.${id})`)
      await expireInbox(analytics, 'analytics', new Date(Date.now() + 126 * 86_400_000))
      expect(await known()).to.equal('')
    })

    it('keeps row security and grants: the portal reads the new tables, and nobody but analytics can swap them', async () => {
      await world.life(1)
      await world.read()
      world.work()
      const security = `select relname, relrowsecurity, relforcerowsecurity, relacl::text,
          (select string_agg(polname || pg_get_expr(polqual, polrelid), ',' order by polname) from pg_policy where polrelid = c.oid) as policies,
          obj_description(c.oid) as comment
        from pg_class c where relnamespace = 'read'::regnamespace and relkind = 'r' order by relname`
      const before = await world.owner(security)
      for (const projection of NAMES) await world.ended(await rebuild(projection), 'done')
      expect(await world.owner(security)).to.deep.equal(before)
      const portal = world.database.as('atom_portal')
      const seen = await portal.transaction(
        async (tx) => (await tx.raw('select name from read.packages')).rows as { name: string }[],
        { scope: { org: 'demo', operator: false } },
      )
      expect(seen).to.deep.equal([{ name: 'package-1' }])
      for (const sql of ['select * from read_former.packages', "select read_shadow.swap('{packages}', true)"])
        expect(await portal.query(sql).then(() => 'allowed', String)).to.contain('permission denied')
    })

    it('says that early events are gone, and builds without them only when that is accepted', async () => {
      await world.life(1)
      await world.read()
      if (name === 'embedded') {
        await world.owner(
          "update platform.event_log set recorded_at = now() - interval '3 days' where topic = 'atom.billing'",
        )
        await world.owner("select platform.expire_log('atom.billing', 1)")
      } else await world.empty()
      const { body } = await world.post('projections/revenue/rebuild')
      expect(body.plan.warnings.join()).to.match(/retention has removed [1-9]\d* events of atom\.billing/)
      expect(body.plan.refused).to.contain('accept_loss')
      const refused = await world.post('projections/revenue/rebuild', { execute: true })
      expect([refused.status, refused.body]).to.deep.include(409)
      expect(refused.body).to.include({ code: 'replay_refused' })
      world.work()
      const { result } = await world.ended(await rebuild('revenue'), 'paused')
      expect(result.tables[0]).to.include({ only_live: 1, only_shadow: 0 })
    })

    it('is for people of the role data alone', async () => {
      const tokens = [
        await world.organisations.token('demo', 'partner'),
        await world.organisations.token('acme', 'tenant'),
        await world.organisations.token('atom', 'finance', 'reviewer'),
      ]
      const calls: ['GET' | 'POST', string][] = [
        ['GET', '/data/projections'],
        ['POST', '/data/projections/packages/rebuild'],
        ['POST', '/data/projections/packages/rollback'],
        ['GET', '/data/replays'],
        ['POST', '/data/replays'],
        ['POST', '/data/replays/x/cancel'],
      ]
      for (const [method, path] of calls) {
        expect((await world.service.call(method, path)).status, path).to.equal(401)
        for (const as of tokens) expect((await world.service.call(method, path, { as })).status, path).to.equal(403)
      }
    })
  })
}

/** Runs analytics' rebuilds in a process that must die at the fault. */
async function died(world: ReplayWorld, fault: string): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(world.process(fault, 2))], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const giveUp = setTimeout(() => child.kill('SIGTERM'), 20_000)
  const signal = await new Promise<string | null>((resolve) => child.once('close', (_, name) => resolve(name)))
  clearTimeout(giveUp)
  expect(signal, `died at ${fault}`).to.equal('SIGKILL')
}
