import { expect } from 'chai'
import type { Rerating } from '../../../../consumers/metering/rerating/rerating.ts'
import { nextRerating } from '../../../../consumers/metering/rerating/rerating-rows.ts'
import { reratingStep } from '../../../../consumers/metering/rerating/rerating-step.ts'
import { runReratings } from '../../../../consumers/metering/rerating/rerating-worker.ts'
import { Fenced } from '../../../../platform/bus/attempts.ts'
import { PositionInvalid } from '../../../../platform/bus/position.ts'
import type { Db } from '../../../../platform/db.ts'
import { usageReported } from '../../../../schemas/events/usage.reported.ts'
import { eventually } from '../../../support/eventually.ts'
import { rejected } from '../../../support/rejected.ts'
import { type Billing, openBilling, perUnit } from '../fixture.ts'
import { ask, look, type ReplayView, replay, reratingDeps, workOff } from './replays.ts'

const used = (id: string, quantity = '1', time = '2026-10-20T09:00:00Z') => ({ id, meter: 'runs', quantity, time })

describe('consumers/metering: the work of a replay', () => {
  let billing: Billing
  beforeEach(async () => {
    billing = await openBilling('2026-10-20T10:00:00Z')
    await billing.sell('one', perUnit('0.50'), ['acme', 'globex'])
  })
  afterEach(() => billing.close())

  const next = async () => (await nextRerating(billing.deps.allTenants)) as Rerating
  /** Until everything is counted and the next step compares. */
  async function readyToCompare(): Promise<void> {
    for (let rerating = await next(); ; rerating = await next()) {
      const cursors = await billing.owner<{ position: string; partition: number }>(
        "select partition, position from platform.cursors where consumer_group = 'metering' and topic = 'atom.usage'",
      )
      const at = (partition: number) => cursors.find((one) => one.partition === partition)?.position
      if (rerating.state === 'running' && rerating.ranges.every((one) => (at(one.partition) ?? one.at) === one.at))
        return
      await reratingStep(reratingDeps(billing), rerating, 1)
    }
  }

  it('is taken up by another process where the first died; who wakes up later changes nothing', async () => {
    for (const id of ['a', 'b', 'c']) await billing.report([used(id)])
    await billing.counted()
    const asked = await ask(billing, { period: '2026-10', tenant: 'acme' })
    const deps = reratingDeps(billing)
    await reratingStep(deps, await next(), 1)
    const stale = await next()
    await reratingStep(deps, stale, 1)
    expect(await rejected(reratingStep(deps, stale, 1))).to.be.instanceOf(Fenced)
    const two = [await next(), await next()] as const
    const both = await Promise.allSettled(two.map((one) => reratingStep(deps, one, 1)))
    expect(both.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected'])
    await workOff(billing, 1)
    const done = await look(billing, asked)
    expect([done.state, done.progress.events, done.progress.records]).to.deep.equal(['done', 3, 3])
    expect(done.tenants[0]?.differing).to.equal(0)
  })

  it('agrees with live counting that goes on while it compares', async () => {
    await billing.report([used('a')])
    await billing.counted()
    await ask(billing, { period: '2026-10', tenant: 'acme' })
    await readyToCompare()
    const deps = reratingDeps(billing)
    let at = 0
    /** Usage of the month is counted between the look at the cursors and the snapshot. */
    const busy = (when: number, usage: () => Promise<unknown>): Db => ({
      ...deps.allTenants,
      transaction: async (work, options) => {
        at += 1
        if (at === when) {
          await usage()
          await billing.counted()
        }
        return deps.allTenants.transaction(work, options)
      },
    })
    await reratingStep({ ...deps, allTenants: busy(2, () => billing.report([used('b', '5')])) }, await next())
    const [acme] = (await look(billing, await last())).tenants
    expect([acme?.differing, acme?.differing_hours, acme?.totals.log.total]).to.deep.equal([0, 0, '3.00'])
    await workOff(billing)

    // Of somebody else, or of another month, it is no reason to write while rating.
    await ask(billing, { period: '2026-10' })
    await readyToCompare()
    at = 0
    const other = () => billing.report([used('c')], billing.tokens.globex)
    await reratingStep({ ...deps, allTenants: busy(2, other) }, await next())
    await workOff(billing)
    const all = await look(billing, await last())
    expect([all.state, all.result.tenants, all.result.differing_hours]).to.deep.equal(['done', 2, 0])
  })

  const last = async (): Promise<ReplayView> => {
    const { body } = await billing.call<{ replays: ReplayView[] }>('GET', '/billing/replay?limit=1', {
      as: billing.tokens.finance,
    })
    return body.replays[0] as ReplayView
  }

  it('leaves out what live counting has not come to, could not read, or was told to give up, and says so', async () => {
    const before = await (async () => {
      await billing.report([used('a')])
      return replay(billing, { period: '2026-10' })
    })()
    expect([before.progress.events, before.not_yet_counted]).to.deep.equal([0, { events: 1, dead_letters: 0 }])
    const headers = {
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: 'poison',
      ce_source: '//test',
      ce_type: usageReported.type,
      ce_time: '2026-10-20T10:00:00.000Z',
      ce_dataschema: `atom:${usageReported.type}:${usageReported.version}`,
      ce_partitionkey: 'acme',
      ce_correlationid: 'poison',
    }
    await billing.bus.produce([
      { topic: usageReported.topic, key: 'acme', headers, value: Buffer.from('{"poison":true}') },
    ])
    await billing.counted()
    const letters = await replay(billing, { period: '2026-10' })
    expect([letters.progress.left_out, letters.not_yet_counted?.dead_letters]).to.deep.equal([1, 1])
    expect(letters.result.differing_hours).to.equal(0)
    // What was given up is no part of what was to be counted, although it can be read.
    await billing.owner(
      `insert into platform.dead_letter_decisions
       select gen_random_uuid(), gen_random_uuid(), 'metering', topic, partition, xid::text || ':' || pos, 'x', 1,
         'discarded', 'someone', 'a test', now()
       from platform.event_log where topic = 'atom.usage' and headers->>'ce_id' <> 'poison'`,
    )
    const given = await replay(billing, { period: '2026-10' })
    expect([given.progress.left_out, given.progress.records]).to.deep.equal([2, 0])
    expect(given.tenants[0]?.hours[0]?.log).to.equal(null)
  })

  it('fails with a code when a step cannot be done, leaves nothing behind, and the next has its turn', async () => {
    await billing.report([used('a')])
    await billing.counted()
    const first = await ask(billing, { period: '2026-10' })
    const second = await ask(billing, { period: '2026-10', tenant: 'acme' })
    let broken = true
    const deps = reratingDeps(billing)
    const bus = {
      ...deps.bus,
      read: async (request: Parameters<typeof deps.bus.read>[0]) => {
        if (broken) throw new PositionInvalid('no place of this bus')
        return deps.bus.read(request)
      },
    }
    const worker = runReratings({ ...deps, bus, everyMs: 5 })
    await eventually('the first has failed', async () => (await look(billing, first)).state === 'failed')
    broken = false
    await eventually('the second has ended', async () =>
      ['done', 'failed'].includes((await look(billing, second)).state),
    )
    await worker.stop()
    expect((await look(billing, first)).error).to.deep.equal({ code: 'log_unreadable', detail: 'no place of this bus' })
    expect(await billing.owner("select 1 from pg_tables where schemaname = 'metering_rerating'")).to.deep.equal([])
  })

  it('tries a step again before it gives up', async () => {
    await billing.report([used('a')])
    await billing.counted()
    const asked = await ask(billing, { period: '2026-10' })
    let left = 3
    const deps = reratingDeps(billing)
    const bus = {
      ...deps.bus,
      read: async (request: Parameters<typeof deps.bus.read>[0]) => {
        left -= 1
        if (left >= 0) throw new Error('the broker is away')
        return deps.bus.read(request)
      },
    }
    const worker = runReratings({ ...deps, bus, everyMs: 5 })
    await eventually('it is done', async () => (await look(billing, asked)).state === 'done')
    await worker.stop()
    expect(billing.log.filter(({ message }) => message === 'step of a rerating failed')).to.have.length(3)
  })

  it('passes over a tenant that cannot be rated, and compares the others', async () => {
    await billing.report([used('a')])
    await billing.report([used('b')], billing.tokens.globex)
    await billing.counted()
    const broken = { ...perUnit('1'), charges: [{ id: 'x', model: 'per_unit', meter: 'runs', unit_amount: 'none' }] }
    await billing.owner(
      `insert into metering.plans (partner, id, name, currency, effective_from, body, created_at)
       values ('demo', '0192f6a0-0000-7000-8000-00000000000b', 'x', 'USD', '2026-01-01', ?, now())`,
      [JSON.stringify(broken)],
    )
    await billing.owner(
      "update metering.subscriptions set plan_id = '0192f6a0-0000-7000-8000-00000000000b' where tenant = 'acme'",
    )
    const asked = await ask(billing, { period: '2026-10' })
    const worker = runReratings({ ...reratingDeps(billing), everyMs: 5 })
    await eventually('it is done', async () => (await look(billing, asked)).state === 'done')
    await worker.stop()
    const { result, tenants } = await look(billing, asked)
    expect(result).to.deep.include({ tenants: 2, failed_tenants: 1, differing_tenants: 0 })
    expect(tenants).to.have.length(1)
    expect(tenants[0]).to.deep.include({ tenant: 'acme' })
  })
})
