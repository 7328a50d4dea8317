import { setTimeout as pause } from 'node:timers/promises'
import { freshHome } from '../../reports/running-system.ts'
import { hourOf } from './load.ts'
import type { Finding } from './oracle.ts'
import { openPgProxy } from './pg-proxy.ts'
import { deadLettersOf, type Stage } from './stage.ts'
import type { World } from './world.ts'

export type Case = {
  fault: string
  /** Shows that the comparison sees a loss: one that finds none has failed. */
  control?: boolean
  /** Ends a process each time. */
  kills?: boolean
  run(stage: Stage, long: boolean): Promise<Finding & { times: number }>
}
const BILLING = ['billing']
const FROZEN_MS = 13_000

/** Edge, consumer, rating and, on Kafka, the relay are in the process that is killed. */
const killLoop: Case = {
  fault: 'SIGKILL of the process, in a loop',
  kills: true,
  async run(stage, long) {
    const { world } = stage
    const load = stage.load('killed', () => world.home.urls.billing, { everyMs: 5 })
    // Kafka gives a dead member's partitions away only when its session is over, so some lives are longer than that.
    const times = long ? 30 : world.backend === 'kafka' ? 3 : 6
    for (let kill = 0; kill < times; kill++) {
      const running = await world.start(BILLING)
      await pause(world.backend === 'kafka' && kill % 2 === 1 ? 12_000 : 100 + ((kill * 337) % 900))
      await running.signal('SIGKILL')
    }
    const last = await world.start(BILLING)
    const finding = await stage.check('killed', load, last)
    await last.signal('SIGTERM')
    return { ...finding, times }
  },
}

const postgresCrash: Case = {
  fault: 'Postgres stopped at once (SIGQUIT)',
  kills: true,
  async run(stage, long) {
    const { world } = stage
    const running = await world.start(BILLING)
    const load = stage.load('crashed', () => running.urls.billing, { everyMs: 5 })
    const times = long ? 12 : 2
    for (let kill = 0; kill < times; kill++) {
      await load.more(400)
      await pause(200)
      await world.crashDatabase()
      await load.more(400)
    }
    const finding = await stage.check('crashed', load, running)
    await running.signal('SIGTERM')
    return { ...finding, times }
  },
}

const eatenReply: Case = {
  fault: 'the reply to COMMIT eaten, connection cut',
  async run(stage, long) {
    const { world } = stage
    const proxy = await openPgProxy(world.socketFolder)
    const running = await world.start(BILLING, { env: { DATABASE_URL: world.databaseUrl(proxy) } })
    const load = stage.load('eaten', () => running.urls.billing, { everyMs: 5 })
    proxy.eatEvery(17)
    const wanted = long ? 100 : 12
    const deadline = performance.now() + 120_000
    while (proxy.eaten() < wanted && performance.now() < deadline) await pause(20)
    proxy.eatEvery(0)
    const finding = await stage.check('eaten', load, running)
    const times = proxy.eaten()
    if (times < wanted) finding.wrong.push(`only ${times} of ${wanted} replies were eaten`)
    await running.signal('SIGTERM')
    await proxy.close()
    return { ...finding, times }
  },
}

const zombie: Case = {
  fault: 'SIGSTOP for longer than the session, another takes over, SIGCONT',
  async run(stage, long) {
    const { world } = stage
    const [first, ports] = [await world.start(BILLING), await freshHome()]
    let url = first.urls.billing
    const load = stage.load('frozen', () => url, { everyMs: 5 })
    await load.more(500)
    const second = await world.start(BILLING, { home: ports })
    const times = long ? 3 : 1
    let takenOver = 0
    for (let n = 0; n < times; n++) {
      // In turn, because who took over keeps the group.
      const [frozen, other] = n % 2 === 0 ? [first, second] : [second, first]
      await load.more(500)
      url = other.urls.billing
      frozen.signal('SIGSTOP').catch(() => {})
      // What was under way in the database ends first; then nobody counts for the 10 s of a session on either backend.
      await pause(1_000)
      const before = await countedBy(world, 'frozen')
      await pause(FROZEN_MS)
      const deadline = performance.now() + FROZEN_MS
      while ((await countedBy(world, 'frozen')) === before && performance.now() < deadline) await pause(50)
      if (performance.now() < deadline) takenOver += 1
      frozen.signal('SIGCONT').catch(() => {})
      url = frozen.urls.billing
      await load.more(500)
    }
    const finding = await stage.check('frozen', load, first)
    if (takenOver < times) finding.wrong.push('nobody took over')
    await Promise.all([first, second].map((one) => one.signal('SIGTERM')))
    await ports.remove()
    return { ...finding, times }
  },
}

async function countedBy(world: World, name: string): Promise<number> {
  const [found] = await world.owner.query<{ n: number }>(
    'select coalesce(sum(records), 0)::int as n from metering.rollups where hour = ?',
    [hourOf(name)],
  )
  return found?.n ?? 0
}

const rarePoison: Case = {
  fault: 'poison, 1 in 10,000 records',
  async run(stage, long) {
    const running = await stage.world.start(BILLING)
    const load = stage.load('rare', () => running.urls.billing, { perReport: 100 })
    const ids: string[] = []
    for (let round = 0; round < (long ? 12 : 2); round++) {
      await load.more(5_000)
      ids.push(...(await stage.poison(1)))
      await load.more(5_000)
    }
    const finding = await stage.check('rare', load, running)
    const times = await deadLettersOf(stage.world, ids)
    if (times.some((n) => n !== 1)) finding.wrong.push(`poison was put aside ${times.join(', ')} times`)
    await running.signal('SIGTERM')
    return { ...finding, times: ids.length }
  },
}

/** What a group does with it, put aside or stop, it does to no record that is good and came before. */
const onlyPoison: Case = {
  fault: 'poison, 100 %',
  async run(stage) {
    const running = await stage.world.start(BILLING)
    const load = stage.load('only', () => running.urls.billing)
    await load.more(500)
    const finding = await stage.check('only', load, running)
    const ids = await stage.poison(60)
    const aside = async () => (await deadLettersOf(stage.world, ids)).reduce((sum, n) => sum + n, 0)
    for (let before = -1; before !== (await aside()); ) {
      before = await aside()
      await pause(3_000)
    }
    const times = await deadLettersOf(stage.world, ids)
    const repeated = times.filter((n) => n > 1).length
    if (repeated > 0) finding.wrong.push(`${repeated} poison events were put aside more than once`)
    if (times[0] !== 1) finding.wrong.push('the first poison event was not put aside')
    await running.signal('SIGTERM')
    return { ...finding, times: ids.length }
  },
}

export const everywhere: readonly Case[] = [killLoop, postgresCrash, eatenReply, zombie, rarePoison, onlyPoison]
