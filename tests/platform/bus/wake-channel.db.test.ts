import { expect } from 'chai'
import type { Bus, Consuming } from '../../../platform/bus/bus.ts'
import { moveCursor, readCursor } from '../../../platform/bus/effects.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { openWakeChannel } from '../../../platform/bus/wake-channel.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { topic } from '../bus.contract.ts'

/** So long that only a message can have woken whoever waits. */
const NEVER_MS = 60_000

describe('platform/bus/wake-channel', () => {
  let database: TestDatabase
  let closers: (() => Promise<void>)[]
  before(async () => {
    database = await freshDatabase()
  })
  after(() => database.drop())
  beforeEach(() => {
    closers = []
  })
  afterEach(async () => {
    for (const close of closers.reverse()) await close()
  })
  const { log } = recordingLog()
  const listeners = () =>
    database
      .as('postgres')
      .query<{ pid: number }>(
        "select pid from pg_stat_activity where query = 'listen atom_log' or query = 'notify atom_log'",
      )

  function channel(woken: () => void) {
    const opened = openWakeChannel(database.server, log, woken)
    closers.push(opened.close)
    return opened
  }

  async function consumer(group: string, seen: string[]): Promise<{ bus: Bus; consuming: Consuming }> {
    const db = database.as('atom_marketplace')
    const bus = openEmbeddedBus({ server: database.server, log, dbFor: () => db, appender: db, idlePollMs: NEVER_MS })
    const consuming = await bus.consume({
      group,
      topics: [topic],
      start: 'latest',
      maxRecords: 5,
      async apply(batch) {
        await db.transaction((tx) => moveCursor(tx, group, batch))
        seen.push(...batch.records.map(({ value }) => value.toString()))
      },
      cursor: (name, partition) => readCursor(db, group, name, partition),
    })
    closers.push(consuming.stop)
    return { bus, consuming }
  }
  const record = (value: string) => [{ topic, key: 'a', headers: {}, value: Buffer.from(value) }]

  /** Without a sign a group looks for the last time two thirds of a second after it was woken. */
  const allAtRest = (...some: Consuming[]) => {
    let last = ''
    let since = performance.now()
    return eventually('the groups wait', () => {
      const now = some.map((one) => (one.active() ? one.vitals().signs : 'no')).join()
      if (now !== last) since = performance.now()
      last = now
      return !now.includes('no') && performance.now() - since > 700
    })
  }

  it('a group hears of a record that another process wrote, although it does not look by itself', async () => {
    const seen: string[] = []
    const reader = await consumer('reader', seen)
    const writer = await consumer('writer', [])
    await allAtRest(reader.consuming, writer.consuming)
    await writer.bus.produce(record('one'))
    await eventually('the other process applied it', () => seen.length === 1)
    expect(seen).to.deep.equal(['one'])
  })

  it('a message reaches the others and not the one that sent it, and many calls become few messages', async () => {
    let here = 0
    let there = 0
    const sender = channel(() => (here += 1))
    const receiver = channel(() => (there += 1))
    await eventually('both listen', () => sender.listening() && receiver.listening())
    expect([here, there]).to.deep.equal([1, 1])
    for (let n = 0; n < 500; n++) sender.tell()
    receiver.tell()
    await eventually('both heard', () => there > 2 && here === 2)
    expect(there).to.be.lessThan(10)
  })

  it('who lost the connection says so, wakes once it listens again, and hears the next message', async () => {
    let woken = 0
    const sender = channel(() => {})
    const receiver = channel(() => (woken += 1))
    await eventually('both listen', () => sender.listening() && receiver.listening())
    const pids = await listeners()
    await database
      .as('postgres')
      .query('select pg_terminate_backend(pid) from unnest(?::int[]) as pid', [pids.map(({ pid }) => pid)])
    await eventually('it says that it is deaf', () => !receiver.listening())
    await eventually('both listen again', () => sender.listening() && receiver.listening())
    expect(woken).to.equal(2)
    sender.tell()
    await eventually('it hears again', () => woken === 3)
  })

  it('nothing stays connected once nobody consumes', async () => {
    const { consuming } = await consumer('leaving', [])
    await eventually('it listens', async () => (await listeners()).length === 1)
    await consuming.stop()
    await eventually('the connection is gone', async () => (await listeners()).length === 0)
  })
})
