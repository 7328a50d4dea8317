import { expect } from 'chai'
import type { Bus, OutgoingRecord } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { append } from '../../../platform/bus/outbox.ts'
import { startRelay } from '../../../platform/bus/relay.ts'
import { topics } from '../../../schemas/topics.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'

/** Stands for Kafka: keeps what it was given; `after` says what happens once the records are stored. */
function sink(after: (nth: number) => void): { bus: Bus; sent: string[]; records: OutgoingRecord[] } {
  const records: OutgoingRecord[] = []
  const sent: string[] = []
  let calls = 0
  const refuse = () => {
    throw new Error('the relay only produces')
  }
  const bus: Bus = {
    name: 'kafka',
    async produce(some) {
      records.push(...some)
      sent.push(...some.map(({ value }) => value.toString()))
      after(++calls)
    },
    consume: refuse,
    extents: refuse,
    bounds: refuse,
    read: refuse,
    count: refuse,
    retentionFaults: async ([first]) => (first ? [`${first.name} is asked about`] : []),
    wake: refuse,
    close: async () => {},
  }
  return { bus, sent, records }
}

describe('platform/bus/relay', () => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await freshDatabase()
  })
  afterEach(() => database.drop())

  const record = (n: number): OutgoingRecord => ({
    topic: topics.wpk,
    key: 'a package',
    headers: { ce_id: `e-${n}`, odd: 'ü "' },
    value: Buffer.from(String(n)),
  })
  const commit = (...records: OutgoingRecord[]) =>
    database.as('atom_marketplace').transaction((tx) => append(tx, records))
  const relayTo = (kafka: Bus) => {
    const db = database.as('atom_relay')
    const { log } = recordingLog()
    const outbox = openEmbeddedBus({ server: database.server, log, dbFor: () => db, appender: db })
    return startRelay({ outbox, kafka, db, topics: Object.values(topics) })
  }
  const cursors = () => database.as('postgres').query("select * from platform.cursors where consumer_group = 'relay'")

  it('carries what was committed, in order and byte by byte, and goes on where it stopped', async () => {
    const { bus, sent, records } = sink(() => {})
    await commit(record(1), record(2))
    const first = await relayTo(bus)
    await eventually('both are carried', () => sent.length === 2)
    await eventually('the cursor is stored', async () => (await cursors()).length === 1)
    await first.consuming.stop()
    await commit(record(3))
    const second = await relayTo(bus)
    await eventually('the third is carried', () => sent.length === 3)
    await second.consuming.stop()
    expect(sent).to.deep.equal(['1', '2', '3'])
    expect(records[2]).to.deep.equal(record(3))
  })

  it('answers for the retention of both logs', async () => {
    const relay = await relayTo(sink(() => {}).bus)
    await commit(record(1))
    await database.as('postgres').query("update platform.event_log set recorded_at = now() - interval '4000 days'")
    const faults = await relay.bus.retentionFaults([topics.wpk])
    await relay.consuming.stop()
    expect(faults).to.deep.equal(['atom.wpk holds events past their 3650 days', 'atom.wpk is asked about'])
  })

  it('is woken by the bus it returns', async () => {
    const { bus, sent } = sink(() => {})
    const relay = await relayTo(bus)
    await commit(record(1))
    relay.bus.wake()
    await eventually('it is carried', () => sent.length === 1)
    await relay.consuming.stop()
  })

  it('carries again what it may not have carried, and leaves nothing out', async () => {
    const { bus, sent } = sink((nth) => {
      if (nth === 1) throw new Error('stored, but the answer was lost')
    })
    await commit(record(1), record(2))
    const relay = await relayTo(bus)
    await eventually('they are carried again', () => sent.length === 4)
    expect(sent).to.deep.equal(['1', '2', '1', '2'])
    await eventually('it has nothing left', async () =>
      (await relay.consuming.lag()).every(({ records }) => records === 0),
    )
    await relay.consuming.stop()
  })

  it('may read the log and keep its place, and nothing else', async () => {
    const db = database.as('atom_relay')
    for (const sql of [
      "delete from platform.event_log where topic = 'x'",
      'select 1 from platform.inbox',
      'select 1 from metering.invoices',
    ]) {
      const answer = await db.query(sql).then(
        () => 'done',
        (error: Error & { code?: string }) => error.code,
      )
      expect(answer, sql).to.equal('42501')
    }
  })
})
