import { setTimeout as pause } from 'node:timers/promises'
import { invoicesFound, issue, tenantsWithUsage } from './invoices.ts'
import type { Finding } from './oracle.ts'
import { packagesFound, publishPackage } from './packages.ts'
import { type Drive, type Point, points } from './points.ts'
import { deadLettersOf, idle, type Stage } from './stage.ts'
import type { Backend, Running } from './world.ts'

export type PointRun = { point: Point; spec: string; drive: Drive }
const REACH_LIMIT_MS = 45_000

/** One run for every point; of code that groups share, one group, or in the long form each. */
export function pointRuns(backend: Backend, long: boolean): PointRun[] {
  return points
    .filter(({ only }) => only === undefined || only === backend)
    .flatMap((point): PointRun[] => {
      if (!point.groups) return [{ point, spec: point.name, drive: point.drive }]
      const groups = long ? point.groups : point.groups.slice(0, 1)
      return groups.map((group) => ({
        point,
        spec: `${point.name}@${group}`,
        drive: group === 'metering' ? point.drive : 'packages',
      }))
    })
}

const SERVICES: Record<Drive, readonly string[]> = {
  usage: ['billing'],
  poison: ['billing'],
  issue: ['billing'],
  packages: ['marketplace', 'governance'],
}

/** Starts a process that dies at the point, drives it there, starts another and lets the clients go on. */
export async function runPoint(stage: Stage, { spec, drive }: PointRun): Promise<Finding & { kills: number }> {
  const { world } = stage
  const start = (env: Record<string, string> = {}) =>
    world.start(SERVICES[drive], { env, wait: env.ATOM_FAULT === undefined })
  const armed = await start({ ATOM_FAULT: `${spec}:${drive === 'issue' ? 2 : 1}` })
  const { finish } = await DRIVES[drive](stage, armed, spec.replaceAll(/[^a-z]/g, '-'))
  const signal = await Promise.race([armed.ended, pause(REACH_LIMIT_MS, 'not reached' as const, { ref: false })])
  if (signal === 'not reached') await armed.signal('SIGKILL')
  const recovered = await start()
  const finding = await finish(recovered)
  // A member that leaves Kafka's group in order spares the next one the wait for its session to end.
  await recovered.signal(world.backend === 'kafka' ? 'SIGTERM' : 'SIGKILL')
  const reached = signal === 'SIGKILL'
  if (!reached) finding.wrong.push(`did not die there (${signal}): ${armed.output().slice(-300)}`)
  return { ...finding, kills: reached ? 1 : 0 }
}

type Driven = { finish(recovered: Running): Promise<Finding> }
const DRIVES: Record<Drive, (stage: Stage, armed: Running, name: string) => Promise<Driven>> = {
  async usage(stage, armed, name) {
    let url = armed.urls.billing
    const load = stage.load(name, () => url, { everyMs: 20 })
    return {
      finish(recovered) {
        url = recovered.urls.billing
        return stage.check(name, load, recovered)
      },
    }
  },
  async poison(stage, armed, name) {
    const load = stage.load(name, () => armed.urls.billing, { everyMs: 20 })
    await load.more(100)
    const ids = await stage.poison(1)
    return {
      async finish(recovered) {
        const finding = await stage.check(name, load, recovered)
        const [times] = await deadLettersOf(stage.world, ids)
        if (times !== 1) finding.wrong.push(`the poison event was put aside ${times} times`)
        return finding
      },
    }
  },
  async issue(stage, armed, name) {
    const tenants = ['a', 'b', 'c'].map((letter) => `${name}-${letter}`)
    while (!(await fetch(armed.urls.billing).catch(() => null))) await pause(25)
    await tenantsWithUsage(stage, armed, tenants)
    // Its answer is eaten by the crash.
    await issue(stage, armed).catch(() => {})
    return {
      async finish(recovered) {
        await issue(stage, recovered)
        return invoicesFound(stage, tenants)
      },
    }
  },
  async packages(stage, armed, name) {
    const names = ['a', 'b'].map((letter) => `${name}-${letter}`)
    while (armed.alive() && !(await fetch(armed.urls.marketplace).catch(() => null))) await pause(25)
    const publishAll = async (running: Running) => {
      for (const one of names) await publishPackage(stage, running, one)
    }
    void publishAll(armed).catch(() => {})
    return {
      async finish(recovered) {
        await publishAll(recovered)
        while (!(await idle(recovered, 'marketplace'))) await pause(50)
        return packagesFound(stage, names)
      },
    }
  },
}
