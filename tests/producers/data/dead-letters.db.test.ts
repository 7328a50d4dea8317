import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import { toRecord } from '../../../platform/bus/binary-mode.ts'
import type { Bus, Consuming } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { ok } from '../../../platform/bus/outcome.ts'
import { handler, runConsumer } from '../../../platform/bus/runner.ts'
import { execute } from '../../../platform/db.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { dataRoutes } from '../../../producers/data/index.ts'
import { defineEvent } from '../../../schemas/define-event.ts'
import { closed } from '../../../schemas/envelope.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { type Organisations, openOrganisations } from '../../support/organisations.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startService, type TestService } from '../../support/service.ts'

const topic = { name: 'atom.letters', partitions: 2, retentionDays: 1, key: 'key', owner: 'tests' }
const data = closed({ key: Type.String(), n: Type.Integer() })
const example = { key: 'a', n: 1 }
const happened = defineEvent({
  type: 'thing.happened',
  version: 1,
  topic,
  description: 'A thing.',
  data,
  key: (one) => one.key,
  example,
})
type Letter = { id: string; group: string; code: string; key: string; attempts: number; event_id: string }
type List = {
  letters: Letter[]
  counts: { group: string; code: string; error: string; count: number }[]
  next: string | null
}
type Acted = { matching: number; parked: number; requested: number; discarded: number; executed: boolean }

describe('producers/data: dead letters', () => {
  const clock = testClock('2026-11-10T10:00:00Z')
  let database: TestDatabase
  let organisations: Organisations
  let service: TestService
  let bus: Bus
  let as: string
  let groups: Consuming[]
  let broken: boolean
  let made = 0
  before(async () => {
    database = await freshDatabase()
    organisations = await openOrganisations(database, ['demo'], clock)
    const db = database.as('atom_analytics')
    bus = openEmbeddedBus({
      server: database.server,
      log: recordingLog().log,
      appender: database.as('atom_app'),
      dbFor: () => db,
    })
    const routes = dataRoutes({ bus, db: database.as('atom_data'), now: clock })
    service = await startService(routes, organisations.authenticate)
    as = await organisations.token('atom', 'data')
    await owner('create table public.effects (consumer text, key text, n int)')
    await owner('grant insert on public.effects to atom_analytics')
  })
  beforeEach(() => {
    groups = []
    broken = true
  })
  afterEach(async () => {
    await Promise.all(groups.map((one) => one.stop()))
    await owner(
      'truncate platform.event_log, platform.cursors, platform.inbox, platform.dead_letters, platform.dead_letter_decisions, public.effects',
    )
  })
  after(async () => {
    await service.close()
    await organisations.close()
    await bus.close()
    await database.drop()
  })

  const owner = <R>(sql: string) => database.as('postgres').query<R>(sql)
  const effects = async () =>
    (await owner<{ consumer: string; key: string; n: number }>('select * from public.effects order by n')).map(
      ({ consumer, key, n }) => `${consumer} ${key}${n}`,
    )
  const send = (...things: { key: string; n: number }[]) =>
    bus.produce(
      things.map((one) => toRecord(happened.create(one, { source: '//test', now: clock(), id: `e-${++made}` }), topic)),
    )
  /** A group whose handler has its effect and then fails on odd numbers while `broken`. */
  async function run(group: string, fails: (n: number) => boolean = (n) => broken && n % 2 === 1): Promise<Consuming> {
    const record = handler({
      name: `${group}.record`,
      on: happened,
      emits: [],
      async handle(event, tx) {
        await execute(tx, 'insert into public.effects values (?, ?, ?)', [group, event.data.key, event.data.n])
        if (fails(event.data.n)) throw Object.assign(new Error('not yet'), { retriable: false, code: 'thing_unknown' })
        return ok()
      },
    })
    const consuming = await runConsumer({
      bus,
      db: database.as('atom_analytics'),
      group,
      handlers: [record],
      log: recordingLog().log,
      metrics: createMetrics(),
      now: clock,
      redriveMs: 5,
      backoffMs: [],
    })
    groups.push(consuming)
    await eventually('it is read', async () => (await consuming.lag()).every(({ records }) => records === 0))
    return consuming
  }
  const list = async (query = '') => (await service.call<List>('GET', `/data/dlq${query}`, { as })).body
  const act = async (what: 'redrive' | 'discard', json: object) =>
    (await service.call<Acted>('POST', `/data/dlq/${what}`, { as, json })).body

  it('are listed in pages, with counts by group, code and error', async () => {
    await send(...[1, 2, 3, 5].map((n) => ({ key: 'a', n })))
    await run('first')
    await run('second', (n) => n === 1)
    const first = await list('?group=first&limit=2')
    const second = await list(`?group=first&limit=2&cursor=${first.next}`)
    expect(
      [...first.letters, ...second.letters].map(({ code, attempts, group }) => [code, attempts, group]),
    ).to.deep.equal(Array(3).fill(['thing_unknown', 1, 'first']))
    expect(second.next).to.equal(null)
    expect((await list()).counts.map(({ group, code, error, count }) => [group, code, error, count])).to.deep.equal([
      ['first', 'thing_unknown', 'not yet', 3],
      ['second', 'thing_unknown', 'not yet', 1],
    ])
    expect((await list('?code=other')).letters).to.deep.equal([])
  })

  it('show the event exactly as it came', async () => {
    await send({ key: 'a', n: 1 })
    await bus.produce([
      { topic, key: 'b', headers: { ce_type: happened.type, odd: 'ü' }, value: Buffer.from([0xff, 1]) },
    ])
    await run('first')
    const { letters } = await list()
    const shown = await Promise.all(
      letters.map(async ({ id }) => (await service.call('GET', `/data/dlq/${id}`, { as })).body),
    )
    const good = shown.find(({ key }) => key === 'a')
    expect(good?.data).to.deep.equal({ key: 'a', n: 1 })
    expect(good).to.include({ event_id: `e-${made}`, type: 'thing.happened', topic: topic.name })
    expect(shown.find(({ key }) => key === 'b')).to.deep.include({
      data_base64: '/wE=',
      headers: { ce_type: happened.type, odd: 'ü' },
      code: 'event_malformed',
    })
    for (const id of ['0192f6a0-0000-7000-8000-000000000011', 'no-id'])
      expect((await service.call('GET', `/data/dlq/${id}`, { as })).status).to.equal(404)
  })

  it('are only counted until `execute` is said', async () => {
    await send({ key: 'a', n: 1 }, { key: 'a', n: 3 })
    await run('first')
    broken = false
    expect(await act('redrive', { group: 'first' })).to.include({ matching: 2, requested: 0, executed: false })
    expect(await act('discard', { group: 'first', reason: 'why not' })).to.include({ matching: 2, discarded: 0 })
    expect((await list()).letters).to.have.length(2)
    expect(await effects()).to.deep.equal([])
  })

  it('are applied again by their own group only, once, and the decision is kept', async () => {
    await send({ key: 'a', n: 1 }, { key: 'b', n: 3 })
    await run('first')
    await run('second')
    broken = false
    const answer = await service.call<Acted>('POST', '/data/dlq/redrive', {
      as,
      json: { group: 'first', execute: true },
    })
    expect([answer.status, answer.body.requested]).to.deep.equal([202, 2])
    await eventually('they are applied', async () => (await list('?group=first')).letters.length === 0)
    expect(await effects()).to.deep.equal(['first a1', 'first b3'])
    expect((await list('?group=second')).letters).to.have.length(2)
    const kept = await owner('select consumer_group, decision, decided_by from platform.dead_letter_decisions')
    expect(kept).to.deep.equal(
      Array(2).fill({ consumer_group: 'first', decision: 'redriven', decided_by: 'atom-data@atom' }),
    )
  })

  it('move no cursor, and drop what another copy of the event has done already', async () => {
    await send({ key: 'a', n: 1 })
    const consuming = await run('first')
    await consuming.stop()
    broken = false
    // The same event once more, as a relay that lost an answer sends it.
    made -= 1
    await send({ key: 'a', n: 1 })
    await run('first')
    expect(await effects()).to.deep.equal(['first a1'])
    const cursors = () => owner('select * from platform.cursors order by partition')
    const before = await cursors()
    await act('redrive', { group: 'first', execute: true })
    await eventually('it is gone', async () => (await list()).letters.length === 0)
    expect(await effects()).to.deep.equal(['first a1'])
    expect(await cursors()).to.deep.equal(before)
  })

  it('that fail again stay with their attempts raised, by id or code', async () => {
    await send({ key: 'a', n: 1 }, { key: 'b', n: 3 })
    await run('first')
    const [one, other] = (await list()).letters
    expect(await act('redrive', { group: 'first', ids: [one?.id], execute: true })).to.include({ requested: 1 })
    await eventually('it failed again', async () => (await list()).letters[0]?.attempts === 2)
    expect((await list()).letters[1]).to.include({ id: other?.id, attempts: 1 })
    expect(await act('redrive', { group: 'first', code: 'another', execute: true })).to.include({ matching: 0 })
    expect(await act('redrive', { group: 'first', code: 'thing_unknown', execute: true })).to.include({ requested: 2 })
    await eventually('both failed again', async () =>
      (await list()).letters.every(({ attempts }, index) => attempts === 3 - index),
    )
    expect(await effects()).to.deep.equal([])
  })

  it('that are given up leave who and why, and nothing of what they held', async () => {
    await send({ key: 'a', n: 1 }, { key: 'secret-key', n: 3 })
    await run('first')
    expect((await service.call('POST', '/data/dlq/discard', { as, json: { group: 'first' } })).status).to.equal(400)
    const said = { group: 'first', reason: 'test data of a partner', execute: true }
    expect(await act('discard', said)).to.include({ matching: 2, discarded: 2, executed: true })
    expect((await list()).letters).to.deep.equal([])
    const kept = await owner<object>('select * from platform.dead_letter_decisions')
    expect(kept).to.have.length(2)
    expect(kept[0]).to.include({
      decision: 'discarded',
      decided_by: 'atom-data@atom',
      reason: said.reason,
      code: 'thing_unknown',
    })
    expect(JSON.stringify(kept)).not.to.contain('secret-key')
  })

  it('refuse names that cannot be any', async () => {
    for (const path of ['/data/dlq?group=%00', '/data/dlq?code=a%20b'])
      expect((await service.call('GET', path, { as })).status, path).to.equal(400)
    expect((await service.call('POST', '/data/groups/%00/resume', { as })).status).to.equal(404)
    for (const json of [
      { group: 'a\u0000' },
      { group: '' },
      { group: 'a', ids: ['1'] },
      { group: 'a', code: ' ' },
      { group: 'a', all: true },
    ])
      expect((await service.call('POST', '/data/dlq/redrive', { as, json })).status, JSON.stringify(json)).to.equal(400)
    for (const reason of ['', ' ', 'a\u0000'])
      expect((await service.call('POST', '/data/dlq/discard', { as, json: { group: 'a', reason } })).status).to.equal(
        400,
      )
  })

  it('are for the role data only', async () => {
    const partner = await organisations.token('demo', 'partner')
    for (const [method, path] of [
      ['GET', '/data/dlq'],
      ['POST', '/data/dlq/redrive'],
      ['POST', '/data/dlq/discard'],
    ] as const) {
      expect((await service.call(method, path)).status).to.equal(401)
      expect((await service.call(method, path, { as: partner })).status).to.equal(403)
    }
  })
})
