import { expect } from 'chai'
import { moveCursor, readCursor } from '../../../platform/bus/effects.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { watchConsumer } from '../../../platform/bus/watch-consumer.ts'
import { type Db, openDb } from '../../../platform/db.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { type FreezingProxy, openFreezingProxy } from '../../support/freezing-proxy.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { rejected } from '../../support/rejected.ts'
import { topic } from '../bus.contract.ts'

describe('platform: connections that go dead without ending', () => {
  let database: TestDatabase
  let proxy: FreezingProxy
  let running: { stop(): Promise<void> }[]
  let pools: Db[]
  beforeEach(async () => {
    running = []
    pools = []
    database = await freshDatabase()
    proxy = await openFreezingProxy(database.server.socketFolder)
  })
  afterEach(async () => {
    for (const one of running.reverse()) await one.stop()
    // Cuts what is frozen: a pool waits for the statements it has under way.
    await proxy.close()
    for (const db of pools) await db.close()
    await database.drop()
  })
  const open = (...of: Parameters<typeof openDb>) => {
    const db = openDb(...of)
    pools.push(db)
    return db
  }
  const behindProxy = () => ({ url: `postgres://postgres@127.0.0.1:${proxy.port}/${database.server.database}` })

  it('a member whose fetch hangs in one is replaced and catches up, nothing lost or double', async () => {
    const server = behindProxy()
    const db = open(server, 'atom_marketplace')
    const { log, lines } = recordingLog()
    const metrics = createMetrics()
    const bus = openEmbeddedBus({ server, log, dbFor: () => db, appender: database.as('atom_marketplace') })
    const seen: string[] = []
    const consuming = await bus.consume({
      group: 'stuck',
      topics: [topic],
      start: 'earliest',
      maxRecords: 5,
      async apply(batch) {
        const moved = await db.transaction((tx) => moveCursor(tx, 'stuck', batch))
        if (!moved) throw new Error('fenced')
        seen.push(...batch.records.map(({ value }) => value.toString()))
      },
      cursor: (name, partition) => readCursor(db, 'stuck', name, partition),
    })
    running.push(consuming)
    const times = { everyMs: 20, patience: { fetchMs: 600, applyMs: 60_000 } }
    const watching = watchConsumer('stuck', consuming, { metrics, log, now: () => new Date(), times })
    running.push(watching)
    const send = (from: number) =>
      bus.produce(
        Array.from({ length: 20 }, (_, n) => ({
          topic,
          key: 'a',
          headers: {},
          value: Buffer.from(String(from + n)),
        })),
      )
    await send(0)
    await eventually('the first are applied', () => seen.length === 20)
    proxy.freezeAt('cross join lateral')
    await eventually('its fetch hangs', () => proxy.frozen() === 1)
    await send(20)
    await eventually('the others are applied too', () => seen.length === 40)
    expect(await metrics.text()).to.contain('atom_consumer_restarts_total{group="stuck",reason="stuck"} 1')
    expect(lines.filter(({ message }) => message === 'consumer is stuck and is replaced')).to.have.length(1)
    expect(seen).to.deep.equal(Array.from({ length: 40 }, (_, n) => String(n)))
  })

  it('are given up when a statement waits for an answer too long, and the pool opens others', async () => {
    const db = open(behindProxy(), 'atom_marketplace', 2, 200)
    await Promise.all([1, 2].map(() => db.query('select pg_sleep(0.05)')))
    proxy.freeze()
    expect(await rejected(db.query('select 1'))).to.include({ code: 'ETIMEDOUT' })
    await eventually('it answers', () => db.query('select 1').catch(() => null))
    expect(await db.query('select 2 as n')).to.deep.equal([{ n: 2 }])
  })

  it('are kept while they idle', async () => {
    const db = open(database.server, 'atom_marketplace', 1, 30)
    const [before] = await db.query<{ pid: number }>('select pg_backend_pid() as pid')
    await new Promise((done) => setTimeout(done, 120))
    expect(await db.query('select pg_backend_pid() as pid')).to.deep.equal([before])
  })
})
