import { Type } from '@sinclair/typebox'
import { expect } from 'chai'
import { toRecord } from '../../../platform/bus/binary-mode.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { ok } from '../../../platform/bus/outcome.ts'
import { handler, runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { defineEvent } from '../../../schemas/define-event.ts'
import { closed, type Envelope } from '../../../schemas/envelope.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'

const topic = { name: 'atom.contract', partitions: 1, retentionDays: 1, key: 'key', owner: 'tests' }
const happened = defineEvent({
  type: 'thing.happened',
  version: 2,
  topic,
  description: 'A thing.',
  data: closed({ key: Type.String(), amount: Type.String() }),
  key: ({ key }) => key,
  example: { key: 'a', amount: '1' },
  upcasters: { 1: ({ key, n }: { key: string; n: number }) => ({ key, amount: String(n) }) },
})

describe('platform/bus: versions of a schema', () => {
  let database: TestDatabase
  before(async () => {
    database = await freshDatabase()
  })
  after(() => database.drop())

  it('hands the current version to the handler, and dead-letters at once what is newer, as it came', async () => {
    const db = database.as('atom_marketplace')
    const { log, lines } = recordingLog()
    const bus = openEmbeddedBus({ server: database.server, log, dbFor: () => db, appender: db })
    const seen: Envelope[] = []
    const recording = handler({
      name: 'versions.record',
      on: happened,
      emits: [],
      async handle(event) {
        seen.push(event)
        return ok()
      },
    })
    const send = (id: string, version: number, data: object) => {
      const event = happened.create(happened.example, { source: '//test', now: new Date(0), id })
      return toRecord({ ...event, dataschema: `atom:thing.happened:${version}`, data }, topic)
    }
    const newer = { key: 'a', money: { amount: '1' } }
    await bus.produce([
      send('old', 1, { key: 'a', n: 7 }),
      send('new', 3, newer),
      send('now', 2, { key: 'a', amount: '8' }),
      send('revised', 2, { key: 'a', amount: '9', currency: 'USD' }),
    ])
    const options = { bus, db, group: 'versions', handlers: [recording], log, metrics: createMetrics() }
    const consuming = await runConsumer({ ...options, now: () => new Date(0), backoffMs: [60_000] })
    await eventually('everything is read', async () => (await consuming.lag()).every(({ records }) => records === 0))
    await consuming.stop()
    await bus.close()

    // A batch with a poison event is applied in halves, so a handler may see an event again; the last time counts.
    const last = new Map(seen.map((event) => [event.id, [event.dataschema, event.data]]))
    const current = 'atom:thing.happened:2'
    expect([...last]).to.have.deep.members([
      ['old', [current, { key: 'a', amount: '7' }]],
      ['now', [current, { key: 'a', amount: '8' }]],
      ['revised', [current, { key: 'a', amount: '9' }]],
    ])
    const letters = await database
      .as('postgres')
      .query<{ code: string; attempts: number; headers: object; value: Buffer; reason: string }>(
        'select code, attempts, headers, value, reason from platform.dead_letters',
      )
    expect(letters).to.have.length(1)
    const [letter] = letters as [(typeof letters)[0]]
    expect(letter).to.include({ code: 'schema_unknown', attempts: 1 })
    expect(letter.reason).to.equal('atom:thing.happened:3 is newer than version 2, the last one known here')
    expect(letter.headers).to.include({ ce_id: 'new', ce_dataschema: 'atom:thing.happened:3' })
    expect(JSON.parse(letter.value.toString())).to.deep.equal(newer)
    expect(lines.filter(({ message }) => message.includes('trying again'))).to.deep.equal([])
  })
})
