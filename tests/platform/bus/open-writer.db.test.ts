import { expect } from 'chai'
import type { OutgoingRecord } from '../../../platform/bus/bus.ts'
import { moveCursor, readCursor } from '../../../platform/bus/effects.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { openWriterCheck } from '../../../platform/bus/open-writer.ts'
import { append } from '../../../platform/bus/outbox.ts'
import { watchConsumer } from '../../../platform/bus/watch-consumer.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { measureData } from '../../../producers/data/watch.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually, gate } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { topic } from '../bus.contract.ts'

describe('platform/bus: a writer that stays open', () => {
  let database: TestDatabase
  before(async () => {
    database = await freshDatabase()
  })
  after(() => database.drop())
  const event = (n: number): OutgoingRecord => ({ topic, key: 'a', headers: {}, value: Buffer.from(String(n)) })

  it('delays the readers, raises the alarm once, and in the end everything is applied in order', async () => {
    const db = database.as('atom_marketplace')
    const data = database.as('atom_data')
    const { log, lines } = recordingLog()
    const metrics = createMetrics()
    const limit = 0.3
    const measure = measureData(data, metrics, log, limit)
    const check = openWriterCheck(data, limit)
    // Its patience is shorter than an idle reader usually rests.
    const bus = openEmbeddedBus({ server: database.server, log, dbFor: () => db, appender: db, idlePollMs: 50 })
    const seen: string[] = []
    const consuming = await bus.consume({
      group: 'waiting',
      topics: [topic],
      start: 'earliest',
      maxRecords: 3,
      async apply(batch) {
        if (!(await db.transaction((tx) => moveCursor(tx, 'waiting', batch)))) throw new Error('fenced')
        seen.push(...batch.records.map(({ value }) => value.toString()))
      },
      cursor: (name, partition) => readCursor(db, 'waiting', name, partition),
    })
    const times = { everyMs: 30, patience: { fetchMs: 500, applyMs: 500 } }
    const watching = watchConsumer('waiting', consuming, { metrics, log, now: () => new Date(), times })
    const behind = async () => (await consuming.lag()).reduce((sum, { records }) => sum + records, 0)

    await bus.produce([event(0)])
    await eventually('the reader reads', () => seen.length === 1)
    expect(await check.run()).to.deep.equal({ status: 'ok' })
    const [written, hold] = [gate(), gate()]
    const slow = db.transaction(async (tx) => {
      await append(tx, [event(1)])
      written.open()
      await hold.opened
    })
    await written.opened
    for (let n = 2; n < 12; n++) await bus.produce([event(n)])
    const alarm = await eventually('the check fails', async () => {
      await measure()
      const found = await check.run()
      return found.status === 'failed' && found
    })
    await measure()
    expect(alarm.detail).to.match(/^a transaction has been open for \d+ s and holds every reader of the log back/)
    expect(seen).to.deep.equal(['0'])
    expect(await behind()).to.equal(10)
    const named = lines.filter(({ message }) => message.startsWith('an open transaction'))
    expect(named).to.have.length(1)
    expect(named[0]?.fields).to.include({ application: 'atom_marketplace', role: 'atom_marketplace' })
    expect(named[0]?.fields).to.have.property('pid').that.is.a('number')
    expect(Number(/^atom_oldest_transaction_seconds (.+)$/m.exec(await metrics.text())?.[1])).to.be.above(limit)
    // The reader asks and is answered: replacing it would help nobody.
    await eventually(
      'longer than its patience',
      async () => {
        await measure()
        return (await check.run()).status === 'ok'
      },
      700,
    ).catch(() => {})

    hold.open()
    await slow
    await eventually('all are applied', () => seen.length === 12)
    await measure()
    expect(seen).to.deep.equal(Array.from({ length: 12 }, (_, n) => String(n)))
    expect(await check.run()).to.deep.equal({ status: 'ok' })
    expect(lines.at(-1)?.message).to.equal('no open transaction holds the readers of the log back any more')
    expect(await metrics.text()).to.contain('atom_consumer_restarts_total{group="waiting",reason="stuck"} 0')
    await watching.stop()
    await consuming.stop()
  })

  it('of another database of the server, and a reader that has not written, are told apart', async () => {
    const other = await freshDatabase()
    const check = openWriterCheck(database.as('atom_data'), 0.05)
    const [begun, hold] = [gate(), gate()]
    const open = async (sql: string) =>
      other.as('postgres').transaction(async (tx) => {
        await tx.raw(sql)
        begun.open()
        await hold.opened
      })
    const reading = other.as('postgres').transaction(async (tx) => {
      await tx.raw('select count(*) from platform.orgs')
      await hold.opened
    })
    await eventually('time passes', async () => (await other.as('postgres').query('select pg_sleep(0.1)')).length === 1)
    expect((await check.run()).status).to.equal('ok')
    const writing = open('create temp table holding (n int)')
    await begun.opened
    await eventually('the check fails', async () => (await check.run()).status === 'failed')
    hold.open()
    await Promise.all([reading, writing])
    expect((await check.run()).status).to.equal('ok')
    await other.drop()
  })
})
