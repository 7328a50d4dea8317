import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import type { Bus } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { dataRoutes } from '../../../producers/data/index.ts'
import { topics } from '../../../schemas/topics.ts'
import { run } from '../../../sdk/cli/main.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { type Organisations, openOrganisations } from '../../support/organisations.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { startService, type TestService } from '../../support/service.ts'

const program = fileURLToPath(new URL('../../../sdk/cli/atom.mjs', import.meta.url))

describe('sdk/cli: atom', () => {
  let database: TestDatabase
  let organisations: Organisations
  let service: TestService
  let bus: Bus
  let env: Record<string, string>
  const clock = testClock('2026-11-10T10:00:00Z')
  before(async () => {
    database = await freshDatabase()
    organisations = await openOrganisations(database, ['demo'], clock)
    const db = database.as('atom_data')
    bus = openEmbeddedBus({
      server: database.server,
      log: recordingLog().log,
      appender: database.as('atom_app'),
      dbFor: () => db,
    })
    service = await startService(dataRoutes({ bus, db, now: clock }), organisations.authenticate)
    env = { ATOM_DATA_API: service.url, ATOM_TOKEN: await organisations.token('atom', 'data') }
    await bus.produce([1, 2, 3].map(record))
    for (const [id, group] of [
      ['0192f6a0-0000-7000-8000-000000000011', 'analytics'],
      ['0192f6a0-0000-7000-8000-000000000012', 'metering'],
    ])
      await database.as('postgres').query(
        `insert into platform.dead_letters
           (id, consumer_group, topic, partition, position, key, headers, value, code, reason, attempts, failed_at)
         values (?, ?, 'atom.wpk', 0, '1:1', 'k', '{"ce_type": "t"}', '{"n":1}', 'handler_failed', 'no', 6, now())`,
        [id, group],
      )
  })
  after(async () => {
    await service.close()
    await organisations.close()
    await bus.close()
    await database.drop()
  })
  const record = (n: number) => ({
    topic: topics.wpk,
    key: 'k',
    headers: { ce_type: 't', ce_id: `e-${n}` },
    value: Buffer.from(`{"n":${n}}`),
  })
  async function atom(line: string, more: Record<string, string> = {}, halt = new AbortController()) {
    const said: string[] = []
    let out = ''
    const streams = {
      out: async (text: string) => {
        out += text
      },
      say: (text: string) => void said.push(text),
      signal: halt.signal,
    }
    const code = await run(line.split(' ').filter(Boolean), { ...env, ...more }, streams)
    return { code, out, said: said.join('\n') }
  }

  it('lists topics for people and for programs', async () => {
    const { code, out } = await atom('topics')
    expect(code).to.equal(0)
    expect(out.split('\n')[0]).to.match(/^topic +partitions +kept +key +records +last$/)
    expect(out).to.match(/^atom\.wpk +4 +3650 d +package name +3 /m)
    const { topics: found } = JSON.parse((await atom('topics --json')).out) as { topics: { name: string }[] }
    expect(found.map(({ name }) => name)).to.deep.equal(['atom.wpk', 'atom.usage', 'atom.billing', 'atom.orgs'])
  })

  for (const [format, expected] of [
    ['ndjson', /^(\{"topic":"atom\.wpk".*\}\n){3}$/],
    ['csv', /^topic,.*,data\r\n(atom\.wpk,.*\r\n){3}$/],
  ] as const)
    it(`exports ${format} without its last line, and tells the number on standard error`, async () => {
      const { code, out, said } = await atom(`events export --topic atom.wpk --format ${format}`)
      expect([code, said]).to.deep.equal([0, '3 events'])
      expect(out).to.match(expected)
    })

  it('ends with 3 when an export was cut off, after what had come', async () => {
    const server = createServer((_request, response) => response.end('{"n":1}\n{"n":2}\n')).listen(0, '127.0.0.1')
    await eventually('it listens', () => server.listening)
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { code, said } = await atom('events export --topic atom.wpk', { ATOM_DATA_API: address })
    server.close()
    expect(code).to.equal(3)
    expect(said).to.contain('cut off')
  })

  it('follows a topic until it has seen as many events as asked for', async () => {
    const tailing = atom('events tail --topic atom.wpk --from earliest --count 5 --json')
    await bus.produce([record(4), record(5)])
    const { code, out } = await tailing
    const ids = out
      .trim()
      .split('\n')
      .map((one) => (JSON.parse(one) as { id: string }).id)
    expect([code, ids]).to.deep.equal([0, ['e-1', 'e-2', 'e-3', 'e-4', 'e-5']])
  })

  it('stops following when it is interrupted', async () => {
    const halt = new AbortController()
    const tailing = atom('events tail --topic atom.usage', {}, halt)
    halt.abort()
    expect(await tailing).to.deep.equal({ code: 0, out: '', said: '' })
  })

  it('lists, shows, redrives and discards dead letters, and acts only with --execute', async () => {
    const listed = await atom('dlq list --group metering')
    expect(listed.out).to.match(/metering +atom\.wpk +k +t +handler_failed +6 /)
    expect(listed.said).to.equal('1 of group metering in atom.wpk: handler_failed (no)')
    const shown = JSON.parse((await atom('dlq show 0192f6a0-0000-7000-8000-000000000012')).out) as object
    expect(shown).to.deep.include({ data: { n: 1 }, group: 'metering' })
    expect((await atom('dlq redrive --group metering')).said).to.contain('nothing was changed')
    const redriven = await atom('dlq redrive --group metering --code handler_failed --execute --json')
    expect(JSON.parse(redriven.out)).to.include({ requested: 1, executed: true })
    expect((await atom('dlq discard --group analytics --execute')).code).to.equal(2)
    const id = '0192f6a0-0000-7000-8000-000000000011'
    expect((await atom(`dlq discard --group analytics --id ${id} --reason old --execute`)).said).to.contain(
      '1 are given up',
    )
    expect((await atom('dlq list --group analytics')).said).to.equal('no dead letters')
  })

  it('lists groups and lets a stopped one go on', async () => {
    const owner = database.as('postgres')
    await owner.query("insert into platform.group_stops values ('metering', 'too much failed', now())")
    expect((await atom('groups list')).out).to.match(/^metering +1 +0 +too much failed$/m)
    expect((await atom('groups resume metering')).said).to.equal('metering goes on')
    expect((await atom('groups resume metering')).said).to.equal('metering was not stopped')
    expect(await owner.query('select 1 from platform.group_stops')).to.deep.equal([])
    expect((await atom('groups resume nobody')).code).to.equal(1)
  })

  const wrong: [string, number, RegExp][] = [
    ['dance', 2, /no command dance/],
    ['events export', 2, /--topic is missing/],
    ['topics --loud', 2, /Unknown option '--loud'/],
    ['topics now', 2, /expected 0 arguments/],
    ['events tail --topic atom.wpk --count many', 2, /--count is a whole number/],
    ['events export --topic atom.wpk --from yesterday', 1, /400 parameter_invalid/],
    ['dlq show 0192f6a0-0000-7000-8000-000000000099', 1, /404 not_found/],
  ]
  for (const [line, code, said] of wrong)
    it(`answers \`${line}\` with ${code}`, async () => {
      const found = await atom(line)
      expect([found.code, found.out]).to.deep.equal([code, ''])
      expect(found.said).to.match(said)
    })

  it('says what to set when it has no token, or nothing answers', async () => {
    const bare = await atom('topics', { ATOM_TOKEN: '' })
    expect([bare.code, bare.said]).to.deep.equal([1, bare.said.match(/^401 .*ATOM_TOKEN.*$/)?.[0]])
    const gone = await atom('topics', { ATOM_DATA_API: 'http://127.0.0.1:9' })
    expect(gone.code).to.equal(3)
    expect(gone.said).to.contain('ATOM_DATA_API')
  })

  it('is a program: data on standard output, talk on standard error', async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [program, 'events', 'export', '--topic', 'atom.usage'],
      {
        env: { ...process.env, ...env },
      },
    )
    expect([stdout, stderr]).to.deep.equal(['', '0 events\n'])
  })
})
