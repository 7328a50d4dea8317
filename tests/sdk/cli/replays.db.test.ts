import { expect } from 'chai'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { run } from '../../../sdk/cli/main.ts'
import { openReplayWorld, type ReplayWorld } from '../../producers/data/replay-world.ts'
import { freshDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { recordingLog } from '../../support/recording-log.ts'

describe('sdk/cli: atom replay and atom projections', () => {
  let world: ReplayWorld
  before(async () => {
    const database = await freshDatabase()
    const { log } = recordingLog()
    const dbFor = (group: string) => database.as(`atom_${group}`)
    const bus = openEmbeddedBus({ server: database.server, log, dbFor, appender: database.as('atom_app') })
    const close = async () => {
      await bus.close()
      await database.drop()
    }
    world = await openReplayWorld({ bus, database, brokers: null, empty: async () => {}, close })
    for (const n of [1, 2, 3]) await world.life(n)
    await world.usage('acme', [{ id: 'a', quantity: '2', time: new Date(Date.now() - 3_600_000).toISOString() }])
    await world.read()
  })
  afterEach(() => world.rest())
  after(() => world.close())

  async function atom(line: string, halt = new AbortController()) {
    const said: string[] = []
    let out = ''
    const streams = {
      out: async (text: string) => {
        out += text
      },
      say: (text: string) => void said.push(text),
      signal: halt.signal,
    }
    const env = { ATOM_DATA_API: world.service.url, ATOM_TOKEN: world.as }
    const code = await run(line.split(' ').filter(Boolean), env, streams)
    return { code, out, said: said.join('\n') }
  }
  const open = async () => {
    const { replays } = await world.get<{ replays: { id: string; state: string }[] }>('replays')
    return replays.find(({ state }) => state === 'running' || state === 'paused')?.id
  }
  const everything = 'replay --group analytics --from earliest --to latest'

  it('prints the plan and changes nothing without --execute', async () => {
    const { code, out, said } = await atom(`${everything} --topic atom.wpk`)
    expect(code).to.equal(0)
    expect(out).to.match(/^topic +type +events +already applied\n/)
    expect(out).to.match(/^atom\.wpk +wpk\.verdict +3 +3$/m)
    expect(said).to.match(/^11 events, \d{4}-.*Z to \d{4}-.*Z\n/)
    expect(said).to.contain('tables: read.packages; events published: none')
    expect(said).to.match(/nothing was changed; --execute does it$/)
    expect(await open()).to.equal(undefined)
    const asked = JSON.parse((await atom(`${everything} --json`)).out) as {
      executed: boolean
      plan: { events: number }
    }
    expect([asked.executed, asked.plan.events]).to.deep.equal([false, 14])
  })

  it('acts with --execute and tells how far it is until it is done', async () => {
    world.work()
    const { code, out, said } = await atom(`${everything} --execute --json`)
    expect(code).to.equal(0)
    expect(JSON.parse(out)).to.include({ state: 'done', done: 14, applied: 0 })
    expect(said).to.match(/^[0-9a-f-]{36}: apply of analytics; Ctrl-C leaves it at work$/m)
    expect(said).to.match(/^done: 14 of 14 events \(100 %\)$/m)
    expect((await atom('replay list')).out).to.match(/apply +analytics +done +14 +0 +atom-data@atom /)
  })

  it('refuses for money what --shadow then compares', async () => {
    world.work()
    const refused = await atom('replay --group metering --from earliest --to latest --execute')
    expect([refused.code, refused.out]).to.deep.equal([1, ''])
    expect(refused.said).to.match(/^409 replay_refused: metering\.on-usage-reported must not see an event again/)
    const { code, out } = await atom('replay --group metering --from earliest --to latest --shadow --execute')
    expect(code).to.equal(0)
    expect(out).to.match(/^hours +equal +less +missing +more\n1 +1 +0 +0 +0$/m)
  })

  it('pauses, leaves it at work when interrupted, resumes and cancels', async () => {
    const halt = new AbortController()
    const following = atom(`${everything} --execute`, halt)
    const id = (await eventually('it was begun', open)) as string
    halt.abort()
    expect((await following).code).to.equal(0)
    const paused = await atom(`replay --pause ${id}`)
    expect([paused.code, paused.said]).to.deep.equal([0, `${id} is paused`])
    world.work()
    const resumed = await atom(`replay --resume ${id}`)
    expect([resumed.code, resumed.said.split('\n').at(-1)]).to.deep.equal([0, '0 had an effect'])
    expect((await atom(`replay --cancel ${id}`)).said).to.match(/^409 replay_state/)
    await world.rest()
    const cancelled = await world.begin('replays', { group: 'analytics', from: 'earliest', to: 'latest' })
    expect((await atom(`replay --cancel ${cancelled}`)).said).to.equal(`${cancelled} is cancelled`)
  })

  it('rebuilds a projection, stops at a difference, and takes it back', async () => {
    world.work()
    const plan = await atom('projections rebuild packages')
    expect(plan.said).to.match(/read\.packages: about \d+ rows/)
    const equal = await atom('projections rebuild packages --execute')
    expect([equal.code, equal.out.match(/equal [0-9a-f]{12}$/m)?.length]).to.deep.equal([0, 1])
    await world.owner("update read.packages set status = 'yanked' where name = 'package-1'")
    const differs = await atom('projections rebuild packages --execute')
    expect(differs.code).to.equal(1)
    expect(differs.out).to.match(/^read\.packages +3 +3 +1 +1 +differs$/m)
    expect(differs.said).to.contain('accept_difference')
    const accepted = await atom(`replay --resume ${await open()} --accept-difference`)
    expect(accepted.code).to.equal(0)
    expect(await world.contents("(select 1 from read.packages where status = 'yanked')")).to.equal('')
    expect((await atom('projections rollback packages --execute')).code).to.equal(0)
    expect(await world.contents("(select 1 from read.packages where status = 'yanked')")).to.equal('(1)')
    expect((await atom('projections list')).out).to.match(/^packages +analytics +\d+ +\d+ +- +rollback /m)
    expect((await atom('projections rollback usage --execute')).said).to.match(
      /^409 replay_refused: usage was not rebuilt/,
    )
  })

  const wrong: [string, number, RegExp][] = [
    ['replay --from earliest --to latest', 2, /--group is missing/],
    ['replay --group analytics --to latest', 2, /--from is missing/],
    ['replay --pause a --cancel b', 2, /give one of/],
    ['replay --pause a --group analytics', 2, /nothing else/],
    ['replay --pause 0192f6a0-0000-7000-8000-000000000099', 1, /404 not_found/],
    ['replay --group analytics --from then --to latest', 1, /400 parameter_invalid/],
    ['projections rebuild', 2, /expected 1 arguments/],
    ['projections rebuild nothing', 1, /404 not_found/],
  ]
  for (const [line, code, said] of wrong)
    it(`answers \`${line}\` with ${code}`, async () => {
      const found = await atom(line)
      expect([found.code, found.out]).to.deep.equal([code, ''])
      expect(found.said).to.match(said)
    })
})
