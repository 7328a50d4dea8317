import { expect } from 'chai'
import type { Bus, BusRecord } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { csvCell } from '../../../platform/http/csv.ts'
import { dataRoutes } from '../../../producers/data/index.ts'
import { topics } from '../../../schemas/topics.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { type Organisations, openOrganisations } from '../../support/organisations.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startService, type TestService } from '../../support/service.ts'

type Event = {
  partition: number
  position: string
  key: string
  type: string | null
  data?: { n: number }
  recorded_at: string
}
type Page = { events: Event[]; next: string | null; resume: string; scanned: number }

describe('producers/data: events', () => {
  const clock = testClock('2026-11-10T10:00:00Z')
  let database: TestDatabase
  let organisations: Organisations
  let service: TestService
  let bus: Bus
  let as: string
  let failAfter = Number.POSITIVE_INFINITY
  before(async () => {
    database = await freshDatabase()
    organisations = await openOrganisations(database, ['demo'], clock)
    const db = database.as('atom_data')
    const embedded = openEmbeddedBus({
      server: database.server,
      log: recordingLog().log,
      appender: database.as('atom_app'),
      dbFor: () => db,
    })
    const read: Bus['read'] = async (request): Promise<BusRecord[]> => {
      if (failAfter-- <= 0) throw new Error('the log is gone')
      return embedded.read(request)
    }
    bus = { ...embedded, read }
    service = await startService(dataRoutes({ bus, db, now: clock }), organisations.authenticate)
    as = await organisations.token('atom', 'data')
  })
  afterEach(async () => {
    failAfter = Number.POSITIVE_INFINITY
    await database.as('postgres').query('truncate platform.event_log')
  })
  after(async () => {
    await service.close()
    await organisations.close()
    await bus.close()
    await database.drop()
  })

  const send = async (from: number, to: number, keys = ['a', 'b', 'c', 'd', 'e']) => {
    for (let n = from; n <= to; n++)
      await bus.produce([
        {
          topic: topics.wpk,
          key: keys[n % keys.length] ?? '',
          headers: { ce_type: n % 2 ? 'odd' : 'even', ce_id: `e-${n}` },
          value: Buffer.from(JSON.stringify({ n })),
        },
      ])
  }
  const get = async (query: string) =>
    (await service.call<Page>('GET', `/data/events?topic=atom.wpk${query}`, { as })).body
  const numbers = ({ events }: Page) => events.map(({ data }) => data?.n)
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  it('are listed oldest first across partitions, in pages that later events do not disturb', async () => {
    await send(1, 20)
    const found: (number | undefined)[] = []
    let page = await get('&limit=7')
    await send(21, 25)
    for (;;) {
      found.push(...numbers(page))
      if (page.next === null) break
      page = await get(`&limit=7&cursor=${page.next}`)
    }
    expect([...found].sort((a, b) => Number(a) - Number(b))).to.deep.equal(range(1, 20))
    // Times are told to a millisecond: order holds inside a key, and between keys as far as times differ.
    expect(found.filter((n) => Number(n) % 5 === 0)).to.deep.equal([5, 10, 15, 20])
    expect(numbers(await get(`&cursor=${page.resume}`)).sort()).to.deep.equal(range(21, 25))
  })

  it('are found by position, key and type', async () => {
    await send(1, 20)
    const all = await get('')
    const tenth = all.events.find(({ data }) => data?.n === 10) as Event
    const sorted = async (query: string) => numbers(await get(query)).sort((a, b) => Number(a) - Number(b))
    expect(await sorted(`&from=offset:${tenth.position}`)).to.deep.equal(range(10, 20))
    expect(await sorted(`&to=offset:${tenth.position}`)).to.deep.equal(range(1, 9))
    expect(numbers(await get('&key=b'))).to.deep.equal([1, 6, 11, 16])
    expect(numbers(await get('&key=b&type=odd&limit=1'))).to.deep.equal([1])
    expect(numbers(await get('&type=none'))).to.deep.equal([])
    expect(numbers(await get('&from=latest'))).to.deep.equal([])
    expect(numbers(await get('&from=last:1')))
      .to.include(20)
      .and.to.have.length(new Set(all.events.map(({ partition }) => partition)).size)
    expect(tenth).to.include({ key: 'a', type: 'even', id: 'e-10' })
  })

  it('refuses what is no position, topic, format or cursor, and says which there are', async () => {
    const refused = [
      '&from=yesterday',
      '&to=offset:',
      '&from=offset:7',
      '&limit=0',
      '&cursor=bm8',
      `&cursor=${Buffer.from(JSON.stringify(Array(8).fill('x'))).toString('base64url')}`,
    ]
    for (const query of refused)
      expect((await service.call('GET', `/data/events?topic=atom.wpk${query}`, { as })).status, query).to.equal(400)
    const { status, body } = await service.call('GET', '/data/events?topic=atom.none', { as })
    expect([status, body.detail]).to.deep.equal([
      400,
      '`topic` is one of atom.wpk, atom.usage, atom.billing, atom.orgs',
    ])
    expect((await service.call('GET', '/data/events/export?topic=atom.wpk&format=xml', { as })).status).to.equal(400)
  })

  async function exported(query: string) {
    const headers = { authorization: `Bearer ${as}` }
    const answer = await fetch(`${service.url}/data/events/export?topic=atom.wpk${query}`, { headers })
    return { headers: answer.headers, text: await answer.text() }
  }

  it('are exported as NDJSON, whose last line counts them', async () => {
    await send(1, 1_200)
    const { headers, text } = await exported('&type=odd')
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Event & { rows: number })
    expect(lines.pop()).to.deep.equal({ rows: 600 })
    const found = lines.map(({ data }) => Number(data?.n)).sort((a, b) => a - b)
    expect(found).to.deep.equal(range(1, 1_200).filter((n) => n % 2))
    expect(headers.get('content-type')).to.equal('application/x-ndjson')
    expect(headers.get('content-disposition')).to.equal('attachment; filename="atom.wpk.ndjson"')
  }).timeout(20_000)

  it('are exported as CSV, in which no cell is a formula', async () => {
    await bus.produce([
      { topic: topics.wpk, key: '=cmd|1', headers: { ce_type: '@x', ce_id: 'a,"b"' }, value: Buffer.from('{"n":1}') },
    ])
    const [head, line, end] = (await exported('&format=csv')).text.split('\r\n')
    expect(head).to.equal('topic,partition,position,recorded_at,key,id,type,source,time,data')
    expect(line).to.match(/^atom\.wpk,\d,\d+:\d+,[^,]+,'=cmd\|1,"a,""b""",'@x,,,"\{""n"":1\}"$/)
    expect(end).to.equal('#rows,1')
    for (const text of ['=1', '+1', '-1+2', '@a', '\ta', '\ra'])
      expect(csvCell(text).replace(/^"/, '')[0], text).to.equal("'")
    expect(csvCell('-1.50'), 'a number is no formula').to.equal('-1.50')
  })

  it('that cannot be read to the end are cut off without a count', async () => {
    await send(1, 30)
    // The four partitions are read once; the next reading fails.
    failAfter = 4
    const text = await exported('').then(
      (whole) => whole.text,
      (error: unknown) => `cut off: ${error}`,
    )
    expect(text).not.to.contain('"rows"')
    expect(service.log.some(({ fields }) => JSON.stringify(fields).includes('the log is gone'))).to.equal(true)
  })

  it('are for the role data only', async () => {
    const partner = await organisations.token('demo', 'partner')
    for (const path of ['/data/events', '/data/events/export', '/data/topics']) {
      expect((await service.call('GET', path)).status).to.equal(401)
      expect((await service.call('GET', path, { as: partner })).status).to.equal(403)
    }
  })
})
