import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import { toRecord } from '../../platform/bus/binary-mode.ts'
import type { Bus, BusRecord, Consuming, OutgoingRecord } from '../../platform/bus/bus.ts'
import { moveCursor, readCursor } from '../../platform/bus/effects.ts'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { deadLetter, emit, type Outcome, ok, skip } from '../../platform/bus/outcome.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import type { Position } from '../../platform/bus/position.ts'
import { type Handler, handler, type RunnerOptions, runConsumer } from '../../platform/bus/runner.ts'
import { type Db, execute, type Tx } from '../../platform/db.ts'
import type { Log } from '../../platform/log.ts'
import { createMetrics, type Metrics } from '../../platform/metrics.ts'
import { probeObservability } from '../../platform/policy-probes/observability.ts'
import { defineEvent } from '../../schemas/define-event.ts'
import { closed, type Envelope } from '../../schemas/envelope.ts'
import { eventually, gate } from '../support/eventually.ts'
import { type LogLine, recordingLog } from '../support/recording-log.ts'
import { rejected } from '../support/rejected.ts'

/** What a backend brings: fresh for each test. `owner` sees every table of the same database. */
export type BusBackend = {
  bus: Bus
  db: Db
  owner: Db
  /** Makes the contract's topic keep its events longer than the registry says, in this backend's way; and takes it back. */
  overstay(): Promise<() => Promise<void>>
  /** True when everything committed to the outbox has reached the readers' log. */
  relayed(): Promise<boolean>
  close(): Promise<void>
}
/** Where backends differ by design; each has its own test for its own answer, and none is left out. */
export type BusFeatures = { membersOfAGroup: 'one active' | 'share partitions' }

export const topic = { name: 'atom.contract', partitions: 4, retentionDays: 1, key: 'key', owner: 'tests' }
export const echoTopic = { ...topic, name: 'atom.echo' }
const data = closed({ key: Type.String(), n: Type.Integer() })
const example = { key: 'a', n: 1 }
const key = (one: { key: string }) => one.key
const happened = defineEvent({ type: 'thing.happened', version: 1, topic, description: 'A thing.', data, key, example })
const ignored = defineEvent({
  type: 'thing.ignored',
  version: 1,
  topic,
  description: 'Nobody handles it.',
  data,
  key,
  example,
})
const echoed = defineEvent({
  type: 'thing.echoed',
  version: 1,
  topic: echoTopic,
  description: 'An echo.',
  data,
  key,
  example,
})
type Thing = { key: string; n: number }

/** One suite for both backends: what the rest of the system may rely on. */
export function busContract(name: string, features: BusFeatures, open: () => Promise<BusBackend>): void {
  describe(`bus contract: ${name}`, () => {
    let backend: BusBackend
    let started: Consuming[]
    let metrics: Metrics
    let made: number
    let servers: Server[]
    let log: Log
    let lines: LogLine[]
    beforeEach(async () => {
      backend = await open()
      started = []
      metrics = createMetrics()
      made = 0
      servers = []
      ;({ log, lines } = recordingLog())
    })
    afterEach(async () => {
      for (const server of servers) server.close()
      await Promise.all(started.map((one) => one.stop()))
      await backend.close()
    })

    /** Something that gives a metric, as services do. */
    async function serveMetrics(): Promise<string> {
      const server = createServer((_, res) => res.end('# TYPE atom_up gauge\n')).listen(0, '127.0.0.1')
      servers.push(server)
      await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    }
    const create = (of: string, n: number): Envelope<Thing> =>
      happened.create({ key: of, n }, { source: '//test', now: new Date(), id: `e-${++made}` })
    const outgoing = (event: Envelope): OutgoingRecord => toRecord(event, topic)
    const send = (...events: Envelope[]) => backend.bus.produce(events.map(outgoing))
    const applied = async () => {
      const found = await backend.owner.query<{ key: string; n: number }>(
        'select key, n from public.effects order by at',
      )
      return found.map((row) => `${row.key}${row.n}`)
    }
    const count = async (of: string) =>
      Number((await backend.owner.query<{ n: string }>(`select count(*) as n from ${of}`))[0]?.n)
    const letters = () =>
      backend.owner.query<{
        code: string
        reason: string
        attempts: number
        position: string
        partition: number
        headers: object
        value: Buffer
        key: string
      }>('select * from platform.dead_letters order by id')
    const apply = (tx: Tx, of: Thing) =>
      execute(tx, 'insert into public.effects (key, n) values (?, ?)', [of.key, of.n])

    /** A handler of `thing.happened` that records it and then does what the test says. */
    const recording = (then: (thing: Thing, tx: Tx) => Promise<Outcome> | Outcome = () => ok()): Handler =>
      handler({
        name: 'contract.record',
        on: happened,
        emits: [],
        async handle(event, tx) {
          await apply(tx, event.data)
          return then(event.data, tx)
        },
      })

    async function run(handlers: Handler[], more: Partial<RunnerOptions> = {}) {
      const { bus, db } = backend
      const options = { group: 'contract', backoffMs: [1, 1], ...more }
      const consuming = await runConsumer({ bus, db, handlers, log, metrics, now: () => new Date(), ...options })
      started.push(consuming)
      return consuming
    }
    const drained = async (consuming: Consuming) => {
      await eventually('the outbox is empty', () => backend.relayed())
      await eventually('everything is read', async () => (await consuming.lag()).every(({ records }) => records === 0))
    }

    describe('delivery', () => {
      it('keeps the order of each key', async () => {
        const keys = ['a', 'b', 'c', 'd', 'e']
        for (let n = 0; n < 20; n++) await send(...keys.map((of) => create(of, n)))
        await drained(await run([recording()], { maxRecords: 7 }))
        const seen = await applied()
        for (const of of keys)
          expect(seen.filter((one) => one.startsWith(of))).to.deep.equal(
            Array.from({ length: 20 }, (_, n) => `${of}${n}`),
          )
      })

      it('puts a key into the partition that Kafka would', async () => {
        const keys = ['demo', 'acme', 'foobar', 'grün']
        await send(...keys.map((of) => create(of, 0)))
        const seen = new Map<string, number>()
        const cursor = (name_: string, partition: number) => readCursor(backend.db, 'look', name_, partition)
        const apply_ = async (batch: { partition: number; records: { key: string }[] }) => {
          for (const one of batch.records) seen.set(one.key, batch.partition)
        }
        const consuming = await backend.bus.consume({
          group: 'look',
          topics: [topic],
          start: 'earliest',
          maxRecords: 10,
          apply: apply_,
          cursor,
        })
        started.push(consuming)
        await eventually('all are seen', () => seen.size === keys.length)
        for (const of of keys) expect(seen.get(of), of).to.equal(partitionOf(of, topic.partitions))
      })

      it('carries headers and values byte by byte', async () => {
        const headers = {
          ce_id: 'x',
          traceparent: '00-a',
          'content-type': 'application/json',
          empty: '',
          odd: ' ü "quoted" {json} \\ ',
        }
        const value = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256))
        await backend.bus.produce([{ topic, key: 'k "1"', headers, value }])
        const seen: { key: string; headers: object; value: Buffer }[] = []
        const consuming = await backend.bus.consume({
          group: 'look',
          topics: [topic],
          start: 'earliest',
          maxRecords: 10,
          apply: async ({ records }) => void seen.push(...records),
          cursor: async () => null,
        })
        started.push(consuming)
        const [record] = await eventually('it is seen', () => seen.length > 0 && seen)
        expect(record?.key).to.equal('k "1"')
        expect(record?.headers).to.deep.equal(headers)
        expect(record?.value.equals(value)).to.equal(true)
      })

      it('carries an event of 900 kB', async () => {
        const wide = defineEvent({
          ...happened,
          data: closed({ key: Type.String(), text: Type.String() }),
          key,
          example: { key: 'a', text: '' },
        })
        const text = 'x'.repeat(900_000)
        await backend.bus.produce([
          toRecord(wide.create({ key: 'a', text }, { source: '//test', now: new Date() }), topic),
        ])
        let seen = 0
        const sized = handler({
          name: 'contract.size',
          on: wide,
          emits: [],
          handle: async (event) => {
            seen = event.data.text.length
            return ok()
          },
        })
        await drained(await run([sized]))
        expect(seen).to.equal(900_000)
      })

      it('passes over event types nobody handles', async () => {
        const other = ignored.create(example, { source: '//test', now: new Date() })
        await send(other, create('a', 1))
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(['a1'])
        expect(await count('platform.dead_letters')).to.equal(0)
      })

      it('gives every group every event', async () => {
        await send(create('a', 1))
        await drained(await run([recording()], { group: 'first' }))
        await drained(await run([recording()], { group: 'second' }))
        expect(await applied()).to.deep.equal(['a1', 'a1'])
      })

      it('says what a topic holds and since when nothing came', async () => {
        const [before] = await backend.bus.extents([topic])
        expect(before).to.include({ topic: topic.name, records: 0, lastRecordedAt: null })
        const since = Date.now()
        await send(create('a', 1), create('b', 2), create('a', 3))
        const until = Date.now()
        const [held] = await backend.bus.extents([topic])
        expect(held?.records).to.equal(3)
        // Within the clocks' resolution of both backends.
        expect(held?.lastRecordedAt?.getTime()).to.be.within(since - 1, until + 1)
      })

      it('says when a topic keeps its events longer than the registry says', async () => {
        await send(create('a', 1))
        await eventually('it is stored', async () => (await backend.bus.extents([topic]))[0]?.records === 1)
        expect(await backend.bus.retentionFaults([topic, echoTopic])).to.deep.equal([])
        const restore = await backend.overstay()
        const faults = await backend.bus.retentionFaults([topic, echoTopic])
        await restore()
        expect(faults).to.have.length(1)
        expect(faults[0]).to.match(/^atom\.contract /)
      })

      it('carries what the policies are probed by: the newest events, with their trace', async () => {
        const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
        const traced = (n: number) => {
          const options = { source: '//test', now: new Date(), id: `t-${n}`, traceparent }
          return happened.create({ key: `${n}`, n }, options)
        }
        const url = await serveMetrics()
        const probe = probeObservability({ bus: backend.bus, topics: [topic], baseUrls: () => [url] })
        await send(...[1, 2, 3, 4, 5, 6, 7, 8].map(traced))
        expect(await probe()).to.include({ status: 'compliant' })
        await send(create('a', 9))
        const { status, detail } = await probe()
        expect([status, detail]).to.deep.equal(['violated', '1 of the newest 9 events of atom.contract carry no trace'])
      })

      describe('to readers without a group', () => {
        /** What every partition holds between two positions, as `key` and `n`, partition by partition. */
        async function between(from: Position, to: Position, maxRecords = 2): Promise<string[]> {
          const [starts, ends] = [await backend.bus.bounds(topic, from), await backend.bus.bounds(topic, to)]
          const found: string[] = []
          for (const { partition, at } of starts) {
            const until = ends[partition]?.at ?? ''
            const before = found.length
            for (let place = at; ; ) {
              const read = await backend.bus.read({ topic, partition, from: place, until, maxRecords })
              if (read.length === 0) break
              expect(read.length).to.be.at.most(maxRecords)
              place = read.at(-1)?.next ?? place
              found.push(...read.map(({ value }) => thingOf(value)))
            }
            const counted = await backend.bus.count({ topic, partition, from: at, until })
            expect(counted, `counted in partition ${partition}`).to.equal(found.length - before)
          }
          return found
        }
        const thingOf = (value: Buffer): string => {
          const { key: of, n } = JSON.parse(value.toString()) as Thing
          return `${of}${n}`
        }
        const earliest = { kind: 'earliest' } as const
        const latest = { kind: 'latest' } as const
        const five = () => send(...[1, 2, 3, 4, 5].map((n) => create('a', n)))

        it('gives everything between two positions in order, page by page', async () => {
          expect(await between(earliest, latest)).to.deep.equal([])
          await five()
          await send(create('b', 1))
          const found = await between(earliest, latest)
          expect(found.filter((one) => one.startsWith('a'))).to.deep.equal(['a1', 'a2', 'a3', 'a4', 'a5'])
          expect(found).to.include('b1').and.to.have.length(6)
          expect(await between(latest, latest)).to.deep.equal([])
        })

        it('finds a record by its own position, with it and before it', async () => {
          await five()
          const partition = partitionOf('a', topic.partitions)
          const at = (await backend.bus.bounds(topic, earliest))[partition]?.at ?? ''
          const until = (await backend.bus.bounds(topic, latest))[partition]?.at ?? ''
          const all = await backend.bus.read({ topic, partition, from: at, until, maxRecords: 9 })
          const third = { kind: 'offset', at: all[2]?.position ?? '' } as const
          expect(await between(third, latest)).to.deep.equal(['a3', 'a4', 'a5'])
          expect(await between(earliest, third)).to.deep.equal(['a1', 'a2'])
          expect(all.map(({ key: of, headers }) => [of, headers.ce_type])).to.deep.equal(
            Array(5).fill(['a', happened.type]),
          )
        })

        it('counts back from the end of each partition', async () => {
          await five()
          expect(await between({ kind: 'last', records: 2 }, latest)).to.deep.equal(['a4', 'a5'])
          expect(await between({ kind: 'last', records: 0 }, latest)).to.deep.equal([])
          expect(await between({ kind: 'last', records: 99 }, latest)).to.have.length(5)
        })

        it('finds what was stored at a time or later', async () => {
          await send(create('a', 1))
          const [held] = await backend.bus.extents([topic])
          const first = held?.lastRecordedAt?.getTime() ?? 0
          await eventually('the clock moved on', () => Date.now() > first + 5)
          const middle = new Date()
          await send(create('a', 2))
          expect(await between({ kind: 'time', at: middle }, latest)).to.deep.equal(['a2'])
          expect(await between(earliest, { kind: 'time', at: middle })).to.deep.equal(['a1'])
          expect(await between({ kind: 'time', at: new Date(0) }, latest)).to.deep.equal(['a1', 'a2'])
          expect(await between({ kind: 'time', at: new Date(Date.now() + 60_000) }, latest)).to.deep.equal([])
        })

        it('refuses a coordinate of another bus', async () => {
          const foreign = backend.bus.name === 'kafka' ? '7:7' : '7'
          expect((await rejected(backend.bus.bounds(topic, { kind: 'offset', at: foreign }))).code).to.equal(
            'position_invalid',
          )
          const read = backend.bus.read({ topic, partition: 0, from: foreign, until: foreign, maxRecords: 1 })
          expect((await rejected(read)).code).to.equal('position_invalid')
        })

        it('leaves every group where it is', async () => {
          await five()
          await between(earliest, latest)
          expect(await count("platform.cursors where consumer_group <> 'relay'")).to.equal(0)
        })
      })

      it('says how far a group is behind', async () => {
        const hold = gate()
        await send(create('a', 1), create('a', 2), create('b', 3))
        const consuming = await run([
          recording(async () => {
            await hold.opened
            return ok()
          }),
        ])
        const lag = await consuming.lag()
        expect(lag.reduce((sum, one) => sum + one.records, 0)).to.equal(3)
        expect(lag.map(({ partition }) => partition)).to.deep.equal([0, 1, 2, 3])
        hold.open()
        await drained(consuming)
      })
    })

    describe('effects', () => {
      it('happen once although the handler failed after them', async () => {
        let failures = 2
        await send(create('a', 1), create('a', 2))
        const consuming = await run([
          recording((thing) => {
            if (thing.n === 1 && failures-- > 0) throw new Error('after the insert')
            return ok()
          }),
        ])
        await drained(consuming)
        expect(await applied()).to.deep.equal(['a1', 'a2'])
      })

      it('happen once for an event that comes again', async () => {
        const event = create('a', 1)
        await send(event)
        await send(event, event)
        await send({ ...event, id: 'other' })
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(['a1', 'a1'])
        expect(await metrics.text()).to.match(/atom_events_total\{[^}]*outcome="duplicate"\} 2/)
      })

      it('tell events of two sources with one id apart', async () => {
        const event = create('a', 1)
        await send(event, { ...event, source: '//elsewhere' })
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(['a1', 'a1'])
      })

      it('include the events a handler emits, which name their cause', async () => {
        const repeat = handler({
          name: 'contract.echo',
          on: happened,
          emits: [echoed],
          handle: async (event) =>
            ok(emit(echoed, echoed.create(event.data, { source: '//test', now: new Date(), causedBy: event }))),
        })
        const heard: Envelope[] = []
        const listen = handler({
          name: 'contract.listen',
          on: echoed,
          emits: [],
          handle: async (event) => {
            heard.push(event)
            return skip('heard')
          },
        })
        await run([repeat])
        await run([listen], { group: 'listeners' })
        const event = create('a', 1)
        await send(event)
        const [echo] = await eventually('the echo arrives', () => heard.length > 0 && heard)
        expect(echo).to.include({ causationid: event.id, correlationid: event.correlationid, partitionkey: 'a' })
      })

      it('of a process that lost its partition change nothing', async () => {
        await send(create('a', 1))
        const partition = partitionOf('a', topic.partitions)
        await drained(await run([recording()]))
        const position = await readCursor(backend.db, 'contract', topic.name, partition)
        for (const from of ['0:0', '7:7', `${position}1`]) {
          const batch = { topic: topic.name, partition, from, next: '9:9', records: [] }
          expect(await backend.db.transaction((tx) => moveCursor(tx, 'contract', batch))).to.equal(false)
        }
        expect(await readCursor(backend.db, 'contract', topic.name, partition)).to.equal(position)
      })

      it('are rolled back when the cursor moved while the handler ran', async () => {
        const [inside, hold] = [gate(), gate()]
        let first = true
        await send(create('a', 1))
        const partition = partitionOf('a', topic.partitions)
        const consuming = await run([
          handler({
            name: 'contract.slow',
            on: happened,
            emits: [],
            async prepare() {
              if (!first) return
              first = false
              inside.open()
              await hold.opened
            },
            async handle(event, tx) {
              await apply(tx, event.data)
              return ok()
            },
          }),
        ])
        await inside.opened
        const stored = await backend.owner.query<{ position: string }>('select position from platform.cursors')
        expect(stored).to.deep.equal([])
        // Somebody else applied the event meanwhile and moved the cursor past it.
        const end = (await lastRecord(partition)).next
        await backend.owner.query('insert into platform.cursors values (?, ?, ?, ?)', [
          'contract',
          topic.name,
          partition,
          end,
        ])
        hold.open()
        await drained(consuming)
        await send(create('a', 2))
        await eventually('the next event is applied', async () => (await applied()).includes('a2'))
        expect(await applied()).to.deep.equal(['a2'])
      })
    })

    /** The newest record of a partition, found by reading it as a group of its own. */
    async function lastRecord(partition: number): Promise<BusRecord> {
      let last: BusRecord | undefined
      const consuming = await backend.bus.consume({
        group: `end-${++made}`,
        topics: [topic],
        start: 'earliest',
        maxRecords: 1_000,
        apply: async (batch) => {
          if (batch.partition === partition) last = batch.records.at(-1)
        },
        cursor: async () => null,
      })
      const found = await eventually('the log is read', () => last)
      await consuming.stop()
      return found
    }

    describe('failures', () => {
      it('isolate a poison event in a batch of 50 and apply the others once', async () => {
        await send(...Array.from({ length: 50 }, (_, n) => create('a', n)))
        const consuming = await run([
          recording((thing) => {
            if (thing.n === 31) throw new Error('poison')
            return ok()
          }),
        ])
        await drained(consuming)
        expect(await applied()).to.deep.equal(
          Array.from({ length: 50 }, (_, n) => `a${n}`).filter((one) => one !== 'a31'),
        )
        const [letter, ...others] = await letters()
        expect(others).to.deep.equal([])
        expect(letter).to.include({ code: 'handler_failed', reason: 'poison', attempts: 3 })
      })

      it('that cannot pass dead-letter at once, as it came', async () => {
        let attempts = 0
        const record = { ...outgoing(create('a', 1)), headers: { ...outgoing(create('a', 1)).headers, extra: 'ü' } }
        await backend.bus.produce([record])
        const consuming = await run([
          recording(() => {
            attempts += 1
            throw Object.assign(new Error('never'), { retriable: false, code: 'plan_unknown' })
          }),
        ])
        await drained(consuming)
        const [letter] = await letters()
        expect(letter).to.include({
          code: 'plan_unknown',
          reason: 'never',
          attempts: 1,
          key: 'a',
          partition: partitionOf('a', 4),
        })
        expect(letter?.headers).to.deep.equal(record.headers)
        expect(letter?.value.equals(record.value)).to.equal(true)
        expect(letter?.position).to.equal((await lastRecord(partitionOf('a', 4))).position)
        expect(attempts).to.equal(1)
        expect(await applied()).to.deep.equal([])
      })

      it('are tried as often as there are waits, and then dead-letter', async () => {
        let attempts = 0
        await send(create('a', 1))
        const consuming = await run(
          [
            recording(() => {
              attempts += 1
              throw new Error('still down')
            }),
          ],
          { backoffMs: [1, 1, 1] },
        )
        await drained(consuming)
        expect((await letters()).map(({ attempts: tried, reason }) => [tried, reason])).to.deep.equal([
          [4, 'still down'],
        ])
        expect(attempts).to.equal(4)
        expect(await applied()).to.deep.equal([])
      })

      const malformed: [string, (record: OutgoingRecord) => OutgoingRecord, string][] = [
        ['data that breaks its schema', (one) => ({ ...one, value: Buffer.from('{"key":"a"}') }), 'event_invalid'],
        ['a value that is no JSON', (one) => ({ ...one, value: Buffer.from([0xff]) }), 'event_malformed'],
        [
          'headers without an id',
          ({ headers: { ce_id: _id, ...headers }, ...one }) => ({ ...one, headers }),
          'event_malformed',
        ],
      ]
      for (const [what, bend, code] of malformed)
        it(`dead-letter ${what} beside good events`, async () => {
          await backend.bus.produce([
            outgoing(create('a', 1)),
            bend(outgoing(create('a', 2))),
            outgoing(create('a', 3)),
          ])
          await drained(await run([recording()]))
          expect(await applied()).to.deep.equal(['a1', 'a3'])
          expect((await letters()).map((one) => one.code)).to.deep.equal([code])
        })

      it('dead-letter what a handler decides to, without its effects', async () => {
        await send(create('a', 1))
        await drained(await run([recording(() => deadLetter('price_unknown', 'no plan'))]))
        expect((await letters()).map(({ code, reason }) => [code, reason])).to.deep.equal([
          ['price_unknown', 'no plan'],
        ])
        expect(await applied()).to.deep.equal([])
      })
    })

    describe('a member', () => {
      const hasty = { everyMs: 40, patience: { fetchMs: 3_000, applyMs: 200 } }
      const restarts = async () =>
        Number(/atom_consumer_restarts_total\{[^}]*reason="stuck"\} (\d+)/.exec(await metrics.text())?.[1])

      it('that hangs is replaced, the next one catches up, and should it wake up it changes nothing', async () => {
        const [inside, hold] = [gate(), gate()]
        let calls = 0
        const hanging = handler({
          name: 'contract.hang',
          on: happened,
          emits: [],
          async prepare({ data: { n } }) {
            if (n !== 12 || ++calls > 1) return
            inside.open()
            await hold.opened
          },
          async handle(event, tx) {
            await apply(tx, event.data)
            return ok()
          },
        })
        await send(...Array.from({ length: 20 }, (_, n) => create('a', n)))
        const consuming = await run([hanging], { maxRecords: 5, watchTimes: hasty })
        await inside.opened
        await send(...Array.from({ length: 20 }, (_, n) => create('a', n + 20)))
        const all = Array.from({ length: 40 }, (_, n) => `a${n}`)
        // On Kafka the one that hangs keeps its partitions until its session is over.
        await eventually('all are applied', async () => (await applied()).length === all.length, 25_000)
        const before = await restarts()
        expect(before).to.be.greaterThan(0)
        hold.open()
        await send(create('a', 40))
        await drained(consuming)
        expect(await applied()).to.deep.equal([...all, 'a40'])
        expect(lines.some(({ message }) => message === 'consumer is stuck and is replaced')).to.equal(true)
        expect(await restarts()).to.equal(before)
      })

      it('that is slow keeps its place while it gets events done', async () => {
        const slow = handler({
          name: 'contract.slow',
          on: happened,
          emits: [],
          prepare: () => new Promise<void>((done) => setTimeout(done, 40)),
          async handle(event, tx) {
            await apply(tx, event.data)
            return ok()
          },
        })
        await send(...Array.from({ length: 20 }, (_, n) => create('a', n)))
        const begun = performance.now()
        await drained(await run([slow], { watchTimes: hasty }))
        expect(performance.now() - begun).to.be.greaterThan(hasty.patience.applyMs * 3)
        expect(await restarts()).to.equal(0)
      })

      it('of a group that stopped itself keeps its place', async () => {
        await send(...Array.from({ length: 40 }, (_, n) => create('a', n)))
        const refused = recording(() => deadLetter('no', 'no'))
        const consuming = await run([refused], { watchTimes: hasty, backoffMs: [] })
        await eventually('it stopped', () => consuming.stopped() !== null)
        // That it is never replaced can only be seen by giving it the time.
        await eventually('it is replaced', async () => (await restarts()) > 0, 600).catch(() => {})
        expect(await restarts()).to.equal(0)
        expect((await consuming.lag()).some(({ records }) => records > 0)).to.equal(true)
      })
    })

    describe('outbox', () => {
      it('never shows the event of a rolled back transaction', async () => {
        await backend.db
          .transaction(async (tx) => {
            await publish(tx, happened, [create('a', 1)])
            throw new Error('no')
          })
          .catch(() => {})
        await backend.db.transaction((tx) => publish(tx, happened, [create('a', 2)]))
        backend.bus.wake()
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(['a2'])
      })

      it('waits for a slow open transaction and skips nothing', async () => {
        const consuming = await run([recording()])
        const [written, hold] = [gate(), gate()]
        const slow = backend.db.transaction(async (tx) => {
          await publish(tx, happened, [create('a', 1)])
          written.open()
          await hold.opened
        })
        await written.opened
        await backend.db.transaction((tx) => publish(tx, happened, [create('a', 2), create('b', 3)]))
        backend.bus.wake()
        // A reader that did not wait would apply them now; that it never does can only be seen by giving it the time.
        await eventually('something is applied', async () => (await applied()).length > 0, 250).catch(() => {})
        expect(await applied()).to.deep.equal([])
        hold.open()
        await slow
        backend.bus.wake()
        await eventually('all three are applied', async () => (await applied()).length === 3)
        await drained(consuming)
        expect((await applied()).filter((one) => one.startsWith('a'))).to.deep.equal(['a1', 'a2'])
      })

      it('keeps the order of two writers of one key although one had begun before the other', async () => {
        const locks = [keyLock(topic, 'a')]
        const [begun, hold] = [gate(), gate()]
        /** Publishes under the next number of the key, as a service that changes a row does. */
        const next = async (tx: Tx) => {
          const found = await tx.raw<{ rows: { n: string }[] }>('select count(*) as n from public.numbers')
          const n = Number(found.rows[0]?.n)
          await execute(tx, 'insert into public.numbers values (?)', [n])
          await publish(tx, happened, [create('a', n)])
        }
        const early = backend.db.transaction(
          async (tx) => {
            // Gives the transaction its place among all transactions, long before it publishes.
            await execute(tx, "insert into public.effects (key, n) values ('early', 0)")
            begun.open()
            await hold.opened
            await next(tx)
          },
          { locks },
        )
        await begun.opened
        let done = false
        const late = backend.db.transaction(next, { locks }).then(() => {
          done = true
        })
        const waiting = async () =>
          Number(
            (
              await backend.owner.query<{ n: string }>(
                "select count(*) as n from pg_locks where locktype = 'advisory' and not granted",
              )
            )[0]?.n,
          ) > 0
        await eventually('the later writer waits or is done', async () => done || (await waiting()))
        hold.open()
        await Promise.all([early, late])
        backend.bus.wake()
        await drained(await run([recording()]))
        expect((await applied()).filter((one) => one.startsWith('a'))).to.deep.equal(['a0', 'a1'])
      })
    })

    describe('members of a group', () => {
      it(
        features.membersOfAGroup === 'one active' ? 'are active one at a time' : 'are active side by side',
        async () => {
          const members = [await run([recording()]), await run([recording()])]
          const active = () => members.filter((one) => one.active()).length
          await eventually('one is active', () => active() > 0)
          if (features.membersOfAGroup === 'share partitions') await eventually('both are active', () => active() === 2)
          const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
          await send(...keys.map((of) => create(of, 1)))
          await eventually('all are applied', async () => (await applied()).length === keys.length)
          expect((await applied()).sort()).to.deep.equal(keys.map((of) => `${of}1`))
          expect(active()).to.equal(features.membersOfAGroup === 'one active' ? 1 : 2)
        },
      )

      it('take over from one that stops', async () => {
        const first = await run([recording()])
        await eventually('the first is active', () => first.active())
        const second = await run([recording()])
        await send(create('a', 1))
        await eventually('it is applied', async () => (await applied()).length === 1)
        await first.stop()
        await send(create('a', 2))
        await eventually('the second took over', async () => (await applied()).length === 2)
        expect([first.active(), second.active()]).to.deep.equal([false, true])
        expect(await applied()).to.deep.equal(['a1', 'a2'])
      })

      it('leave nothing held when they stop before they were ready', async () => {
        const early = await run([recording()])
        await early.stop()
        const next = await run([recording()])
        await eventually('the next is active', () => next.active())
      })

      it('that stop in the middle of a batch lose and repeat nothing', async () => {
        const reached = gate()
        await send(...Array.from({ length: 40 }, (_, n) => create('a', n)))
        const first = await run(
          [
            recording(async (thing) => {
              if (thing.n === 12) reached.open()
              return ok()
            }),
          ],
          { maxRecords: 5 },
        )
        await reached.opened
        await first.stop()
        const before = (await applied()).length
        expect(before).to.be.greaterThan(12).and.lessThan(40)
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(Array.from({ length: 40 }, (_, n) => `a${n}`))
      })

      it('that stop during the last attempt of an event give it up to nobody', async () => {
        const [inside, hold] = [gate(), gate()]
        await send(create('a', 1))
        const failing = recording(async () => {
          inside.open()
          await hold.opened
          throw new Error('down')
        })
        const first = await run([failing], { backoffMs: [] })
        await inside.opened
        const stopped = first.stop()
        hold.open()
        await stopped
        expect(await count('platform.dead_letters')).to.equal(0)
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(['a1'])
      })

      it('that stop while an event fails give it up to nobody, at once', async () => {
        await send(create('a', 1))
        const down = recording(() => {
          throw new Error('down')
        })
        const first = await run([down], { backoffMs: [60_000] })
        await eventually('it waits for the next attempt', () =>
          lines.some(({ message }) => message.includes('trying again')),
        )
        const begun = performance.now()
        await first.stop()
        expect(performance.now() - begun).to.be.lessThan(1_500)
        expect(await count('platform.dead_letters')).to.equal(0)
        await drained(await run([recording()]))
        expect(await applied()).to.deep.equal(['a1'])
      })
    })
  })
}
