import { once } from 'node:events'
import net, { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import type { Admin } from 'kafkajs'
import type { RunningKafka } from '../../deploy/kafka/start.ts'
import type { Bus, OutgoingRecord } from '../../platform/bus/bus.ts'
import { moveCursor, readCursor } from '../../platform/bus/effects.ts'
import { openEmbeddedBus } from '../../platform/bus/embedded.ts'
import { openKafkaBus } from '../../platform/bus/kafka.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import { startRelay } from '../../platform/bus/relay.ts'
import { watchConsumer } from '../../platform/bus/watch-consumer.ts'
import { type Log, silentLog } from '../../platform/log.ts'
import { createMetrics, type Metrics } from '../../platform/metrics.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { eventually, gate } from '../support/eventually.ts'
import { adminOf, brokerForTests, emptyTopics } from '../support/kafka.ts'
import { recordingLog } from '../support/recording-log.ts'
import { rejected } from '../support/rejected.ts'
import { type BusBackend, busContract, echoTopic, topic } from './bus.contract.ts'
import { deadLetterContract, stateTopic } from './dead-letters.contract.ts'

describe('platform/bus/kafka', function () {
  this.timeout(30_000)
  let kafka: RunningKafka
  let admin: Admin
  let database: TestDatabase
  before(async function () {
    kafka = await brokerForTests(this)
    admin = await adminOf(kafka)
    database = await freshDatabase()
    for (const sql of [
      'create table public.effects (key text, n int, at bigint generated always as identity)',
      'create table public.numbers (n int primary key)',
      'grant all on public.effects, public.numbers to atom_marketplace',
    ])
      await database.as('postgres').query(sql)
  })
  after(async () => {
    await admin?.disconnect()
    await kafka?.stop()
    await database?.drop()
  })

  const open = (more: { produceTimeoutMs?: number } = {}) => {
    const { log, lines } = recordingLog()
    const metrics = createMetrics()
    const opened = openKafkaBus({
      brokers: kafka.brokers,
      topics: [topic, echoTopic, stateTopic],
      log,
      metrics,
      ...more,
    })
    return opened.then((bus) => ({ bus, log, lines, metrics }))
  }

  /** What was set for a topic itself; altering it replaces all of that. */
  const settingsOf = async (name: string): Promise<Record<string, string>> => {
    const asked = { includeSynonyms: false, resources: [{ type: 2, name }] }
    const entries = (await admin.describeConfigs(asked)).resources[0]?.configEntries ?? []
    return Object.fromEntries(
      entries.filter((one) => !one.isDefault).map(({ configName, configValue }) => [configName, configValue]),
    )
  }
  const alter = async (name: string, settings: Record<string, string>): Promise<void> => {
    const configEntries = Object.entries(settings).map(([of, value]) => ({ name: of, value }))
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name, configEntries }] })
  }

  const openBackend = async (): Promise<BusBackend> => {
    const owner = database.as('postgres')
    await owner.query(
      'truncate platform.event_log, platform.cursors, platform.inbox, platform.dead_letters, platform.group_stops, public.effects, public.numbers',
    )
    await emptyTopics(admin, [topic.name, echoTopic.name, stateTopic.name])
    const { log } = recordingLog()
    const { bus: direct } = await open()
    const relayDb = database.as('atom_relay')
    const outbox = openEmbeddedBus({ server: database.server, log, dbFor: () => relayDb, appender: relayDb })
    const { bus, consuming } = await startRelay({
      outbox,
      kafka: direct,
      db: relayDb,
      topics: [topic, echoTopic, stateTopic],
    })
    return {
      bus,
      db: database.as('atom_marketplace'),
      owner,
      overstay: async () => {
        const before = await settingsOf(topic.name)
        await alter(topic.name, { ...before, 'retention.ms': '864000000' })
        return () => alter(topic.name, before)
      },
      relayed: async () => (await consuming.lag()).every(({ records }) => records === 0),
      async close() {
        await consuming.stop()
        await outbox.close()
        await bus.close()
      },
    }
  }
  busContract('kafka', { membersOfAGroup: 'share partitions' }, openBackend)
  deadLetterContract('kafka', openBackend)

  describe('what only Kafka does', () => {
    let opened: { bus: Bus; log: Log; lines: { message: string }[]; metrics: Metrics }
    beforeEach(async () => {
      opened = await open()
      await emptyTopics(admin, [topic.name])
    })
    afterEach(() => opened.bus.close())
    const record = (key: string, value: string | Buffer): OutgoingRecord => ({
      topic,
      key,
      headers: {},
      value: Buffer.from(value),
    })
    const first = { group: 'kafka-only', topics: [topic], start: 'earliest' as const, maxRecords: 100 }

    it('makes topics from the registry, with partitions, retention and cleanup policy', async () => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: topic.name }],
      })
      const entries = resources[0]?.configEntries ?? []
      const of = (name: string) => entries.find(({ configName }) => configName === name)?.configValue
      expect(of('retention.ms')).to.equal(String(topic.retentionDays * 86_400_000))
      expect([of('cleanup.policy'), of('min.insync.replicas')]).to.deep.equal(['delete', '1'])
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic.name] })
      expect(topics[0]?.partitions).to.have.length(topic.partitions)
    })

    it('never makes a topic by use', async () => {
      const bus = await openKafkaBus({
        brokers: kafka.brokers,
        topics: [topic],
        log: recordingLog().log,
        metrics: createMetrics(),
        produceTimeoutMs: 300,
      })
      const other = { ...topic, name: 'atom.unregistered' }
      const error = await rejected(bus.produce([{ ...record('a', '1'), topic: other }]))
      await bus.close()
      expect(error).to.have.property('code', 'unavailable')
      expect(await admin.listTopics()).not.to.include(other.name)
    })

    it('says where nobody answers, and does not wait for ever', async () => {
      const { log } = recordingLog()
      const error = await rejected(
        openKafkaBus({ brokers: ['127.0.0.1:9'], topics: [topic], log, metrics: createMetrics() }),
      )
      expect(error.message).to.contain('no Kafka broker answers at 127.0.0.1:9')
    })

    it('opens and sends although the first broker of its list accepts connections and is silent', async () => {
      const connections = new Set<Socket>()
      const silent = createServer((socket) => connections.add(socket)).listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
      const brokers = [address, ...kafka.brokers]
      const { log } = recordingLog()
      const bus = await openKafkaBus({ brokers, topics: [topic], log, metrics: createMetrics(), sendTimeoutMs: 1_000 })
      try {
        await bus.produce([record('a', '1')])
        expect(connections.size).to.be.greaterThan(0)
      } finally {
        await bus.close()
        for (const socket of connections) socket.destroy()
        silent.close()
      }
    })

    it('refuses a topic that exists with another number of partitions', async () => {
      const wider = { ...topic, partitions: 5 }
      const { log } = recordingLog()
      const error = await rejected(
        openKafkaBus({ brokers: kafka.brokers, topics: [wider], log, metrics: createMetrics() }),
      )
      expect(error).to.have.property('code', 'topic_mismatch')
      expect(error.message).to.contain('4 partitions on the broker and 5 in the registry')
    })

    it('refuses a record that is too large and takes the others sent at the same time', async () => {
      const { bus } = opened
      const sent = await Promise.allSettled([
        bus.produce([record('a', '1')]),
        bus.produce([record('a', Buffer.alloc(5_000_000))]),
        bus.produce([record('a', '2')]),
      ])
      expect(sent.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled'])
    })

    for (const [what, cursor, reason] of [
      ['has expired', '0', 'expired'],
      ['lies past the end', '999999999', 'ahead'],
      ['was left by the other backend', '745:12', 'foreign'],
    ] as const)
      it(`reads from the oldest record, says so and counts it, when the stored position ${what}`, async () => {
        // Something must have been removed before, or position 0 would not be expired.
        await opened.bus.produce([record('a', 'old')])
        await emptyTopics(admin, [topic.name])
        await opened.bus.produce([record('a', 'new')])
        const seen: { from: string; value: string }[] = []
        const consuming = await opened.bus.consume({
          ...first,
          apply: async ({ from, records }) => {
            seen.push(...records.map(({ value }) => ({ from, value: value.toString() })))
          },
          cursor: async () => cursor,
        })
        await eventually('it is read', () => seen.length > 0)
        await consuming.stop()
        expect(seen).to.deep.equal([{ from: cursor, value: 'new' }])
        expect(opened.lines.some(({ message }) => message === 'cursor moved to the oldest record')).to.equal(true)
        expect(await opened.metrics.text()).to.contain(`reason="${reason}"`)
      })

    it('does not take a cursor that moves while it looks for one past the end', async () => {
      const partition = partitionOf('a', topic.partitions)
      /** Another member applies one more record, and the cursor is at the new end. */
      const moving = async (name: string, of: number): Promise<string | null> => {
        if (of !== partition) return null
        await opened.bus.produce([record('a', 'one more')])
        return (await admin.fetchTopicOffsets(name)).find((one) => one.partition === of)?.high ?? null
      }
      const consuming = await opened.bus.consume({ ...first, apply: async () => {}, cursor: moving })
      await eventually('it is assigned', () => consuming.active())
      const behind = (await consuming.lag())[partition]?.records
      await consuming.stop()
      expect(behind).to.equal(0)
      expect(await opened.metrics.text()).not.to.contain('reason="ahead"')
    })

    it('starts at the end when told to, and goes on from there after a failure', async () => {
      await opened.bus.produce([record('a', 'before')])
      const seen: string[] = []
      let failures = 1
      const consuming = await opened.bus.consume({
        ...first,
        start: 'latest',
        apply: async ({ records }) => {
          if (failures-- > 0) throw new Error('not yet')
          seen.push(...records.map(({ value }) => value.toString()))
        },
        cursor: async () => null,
      })
      await eventually('it is assigned', () => consuming.active())
      await opened.bus.produce([record('a', 'after')])
      await eventually('it is read', () => seen.length > 0)
      await consuming.stop()
      expect(seen).to.deep.equal(['after'])
    })

    it('tells how old the oldest record is that a group has not applied', async () => {
      const hold = gate()
      await opened.bus.produce([record('a', '1')])
      const begun = performance.now()
      const consuming = await opened.bus.consume({ ...first, apply: () => hold.opened, cursor: async () => null })
      const old = await eventually('it is a second old', async () => {
        const seconds = Math.max(...(await consuming.lag()).map((one) => one.seconds))
        return seconds > 1 && { seconds, atMost: (performance.now() - begun) / 1_000 }
      })
      hold.open()
      await consuming.stop()
      expect(old.seconds).to.be.lessThan(old.atMost * 1.1 + 0.3)
    })

    it('loses nothing acknowledged and keeps each key in order when the broker freezes, dies and comes back', async function () {
      this.timeout(60_000)
      const db = database.as('atom_marketplace')
      const group = 'survivor'
      const applied: string[] = []
      const consuming = await opened.bus.consume({
        ...first,
        group,
        apply: async (batch) => {
          const moved = await db.transaction((tx) => moveCursor(tx, group, batch))
          if (!moved) throw new Error('fenced')
          applied.push(...batch.records.map(({ value }) => value.toString()))
        },
        cursor: (name, partition) => readCursor(db, group, name, partition),
      })
      const times = { everyMs: 1_000, patience: { fetchMs: 10_000, applyMs: 60_000 } }
      const { metrics } = opened
      const watching = watchConsumer(group, consuming, { metrics, log: silentLog, now: () => new Date(), times })
      const acknowledged = new Set<string>()
      // A killed broker brings back what was removed shortly before (its checkpoint is a minute old); only partitions
      // that got a cursor here tell nothing but this test.
      const written = new Set(['a', 'b', 'c'].map((key) => partitionOf(key, topic.partitions)))
      let sending = true
      const lanes = ['a', 'b', 'c'].map(async (key) => {
        for (let n = 0; sending; n++) {
          await opened.bus.produce([record(key, `${key}${n}`)])
          acknowledged.add(`${key}${n}`)
        }
      })
      const more = async (count: number) => {
        const wanted = acknowledged.size + count
        await eventually(`${count} more are acknowledged`, () => acknowledged.size >= wanted, 30_000)
      }
      await more(100)
      kafka.broker(0).kill('SIGSTOP')
      // Longer than the client's request timeout, so that a send fails although the broker may still append it.
      await new Promise((done) => setTimeout(done, 6_000))
      kafka.broker(0).kill('SIGCONT')
      await more(100)
      kafka.broker(0).kill('SIGKILL')
      await kafka.restart(0)
      await more(100)
      sending = false
      await Promise.all(lanes)
      await eventually(
        'the lag is told again, and there is none',
        async () => {
          const lag = await consuming.lag().catch(() => [])
          return lag.filter(({ partition, records }) => written.has(partition) && records === 0).length === written.size
        },
        30_000,
      )
      await eventually('all are applied', () => [...acknowledged].every((one) => applied.includes(one)), 30_000)
      await watching.stop()
      await consuming.stop()
      // The bus repeats, which is what the inbox is for; within a key the first of each comes in order.
      for (const key of ['a', 'b', 'c']) {
        const firsts = [...new Set(applied.filter((one) => one.startsWith(key)))]
        expect(firsts).to.deep.equal(firsts.map((_, n) => `${key}${n}`))
      }
      expect(await opened.metrics.text()).to.match(/atom_bus_producers_replaced_total [1-9]/)
    })

    it('replaces a member whose connections went dead without ending, nothing lost or double', async function () {
      this.timeout(60_000)
      const db = database.as('atom_marketplace')
      const group = 'dead-connection'
      const seen: string[] = []
      const numbers = Array.from({ length: 20 }, (_, n) => String(n))
      // Before the connections are noted: the producer's own is not to go dead.
      await opened.bus.produce(numbers.map((n) => record('a', n)))
      const sockets: net.Socket[] = []
      const connect = net.connect
      net.connect = ((...args: Parameters<typeof connect>) => {
        const socket = connect(...args)
        sockets.push(socket)
        return socket
      }) as typeof connect
      const consuming = await opened.bus.consume({
        ...first,
        group,
        apply: async (batch) => {
          const moved = await db.transaction((tx) => moveCursor(tx, group, batch))
          if (!moved) throw new Error('fenced')
          seen.push(...batch.records.map(({ value }) => value.toString()))
        },
        cursor: (name, partition) => readCursor(db, group, name, partition),
      })
      const times = { everyMs: 200, patience: { fetchMs: 2_000, applyMs: 60_000 } }
      const { metrics, log } = opened
      const watching = watchConsumer(group, consuming, { metrics, log, now: () => new Date(), times })
      try {
        await eventually('the first are applied', () => seen.length === 20, 15_000)
        // What is opened later, by the next member, works.
        net.connect = connect
        for (const socket of sockets) socket.pause()
        await opened.bus.produce(numbers.map((n) => record('a', `more ${n}`)))
        await eventually('the others are applied too', () => seen.length === 40, 25_000)
      } finally {
        net.connect = connect
        await watching.stop()
        await consuming.stop()
        for (const socket of sockets) socket.destroy()
      }
      expect(seen).to.deep.equal([...numbers, ...numbers.map((n) => `more ${n}`)])
      expect(await metrics.text()).to.match(
        /atom_consumer_restarts_total\{group="dead-connection",reason="stuck"\} [1-9]/,
      )
      expect(opened.lines.some(({ message }) => message === 'consumer is stuck and is replaced')).to.equal(true)
    })

    it('keeps almost no timers while idle', async () => {
      const consuming = await opened.bus.consume({ ...first, apply: async () => {}, cursor: async () => null })
      await eventually('it is assigned', () => consuming.active())
      const real = globalThis.setTimeout
      let armed = 0
      globalThis.setTimeout = ((...args: Parameters<typeof real>) => {
        armed += 1
        return real(...args)
      }) as typeof real
      try {
        await new Promise((done) => real(done, 2_000))
      } finally {
        globalThis.setTimeout = real
      }
      await consuming.stop()
      // The client alone arms about 3,500 a second (docs/adr/0006).
      expect(armed).to.be.lessThan(100)
    })
  })
})
