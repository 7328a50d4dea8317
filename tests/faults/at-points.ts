import { setTimeout as pause } from 'node:timers/promises'
import { meterTo, openAws } from './aws-usage.ts'
import { invoicesFound, issue, tenantsWithUsage } from './invoices.ts'
import type { Load } from './load.ts'
import type { Finding } from './oracle.ts'
import { packagesFound, publishPackage } from './packages.ts'
import { collectFrom, openSink } from './payments.ts'
import { type Drive, points } from './points.ts'
import { deadLettersOf, idle, type Stage } from './stage.ts'
import type { Backend, Running } from './world.ts'

export type PointRun = { spec: string; drive: Drive }
export type PointFinding = Finding & { fault: string; kills: number; seconds: number }
const REACH_LIMIT_MS = 45_000

/** One run for every point; of code that groups share, one group, or in the long form each. */
export function pointRuns(backend: Backend, long: boolean): PointRun[] {
  return points
    .filter(({ only }) => only === undefined || only === backend)
    .flatMap((point): PointRun[] => {
      if (!point.groups) return [{ spec: point.name, drive: point.drive }]
      const groups = long ? point.groups : point.groups.slice(0, 1)
      return groups.map((group) => ({
        spec: `${point.name}@${group}`,
        drive: group === 'metering' ? point.drive : 'packages',
      }))
    })
}

const SERVICES: Record<Drive, readonly string[]> = {
  usage: ['billing'],
  poison: ['billing'],
  issue: ['billing'],
  payments: ['billing'],
  aws: ['billing'],
  packages: ['marketplace', 'governance'],
}

/** Starts a process that dies at the point, drives it there, starts another and lets the clients go on. */
export async function runPoint(stage: Stage, { spec, drive }: PointRun): Promise<Finding & { kills: number }> {
  if (drive === 'usage') throw new Error(`${spec} is part of a chain`)
  const { world } = stage
  const sink = drive === 'payments' ? await openSink() : null
  const aws = drive === 'aws' ? await openAws() : null
  const start = (env: Record<string, string> = {}) =>
    world.start(SERVICES[drive], { env: { ...sink?.env, ...aws?.env, ...env }, wait: env.ATOM_FAULT === undefined })
  const armed = await start({ ATOM_FAULT: `${spec}:${drive === 'issue' ? 2 : 1}` })
  const name = nameOf(spec)
  const driven = (): Promise<Driven> => {
    if (sink) return collectFrom(stage, sink.fake, armed, [`${name}-a`, `${name}-b`])
    if (aws) return meterTo(stage, aws.fake, name)
    return DRIVES[drive as keyof typeof DRIVES](stage, armed, name)
  }
  const { finish } = await driven()
  const wrong = await death(armed)
  const recovered = await start()
  const finding = await finish(recovered)
  // A member that leaves Kafka's group in order spares the next one the wait for its session to end.
  await recovered.signal(world.backend === 'kafka' ? 'SIGTERM' : 'SIGKILL')
  return { ...finding, wrong: [...wrong, ...finding.wrong], kills: wrong.length === 0 ? 1 : 0 }
}

/**
 * The same for points that usage leads to, at half the starts: the process that recovers from one death is the one that
 * dies next. Each load keeps its own journal and is compared on its own, after the last.
 */
export async function runChain(stage: Stage, runs: readonly PointRun[]): Promise<PointFinding[]> {
  const { world } = stage
  const made: { fault: string; name: string; load: Load; wrong: string[]; seconds: number }[] = []
  for (const { spec } of runs) {
    const begun = performance.now()
    const armed = await world.start(SERVICES.usage, { env: { ATOM_FAULT: spec }, wait: false })
    const name = nameOf(spec)
    const load = stage.load(name, () => armed.urls.billing, { everyMs: 20 })
    const wrong = await death(armed)
    // What it still has to hear an answer to is repeated by the next process.
    load.stop().catch(() => {})
    made.push({ fault: `dies at ${spec}`, name, load, wrong, seconds: (performance.now() - begun) / 1_000 })
  }
  const last = await world.start(SERVICES.usage)
  // The invoice that each is compared with has the usage of all of them.
  await Promise.all(made.map(({ load }) => load.stop()))
  const findings: PointFinding[] = []
  for (const { fault, name, load, wrong, seconds } of made) {
    const finding = await stage.check(name, load, last)
    findings.push({
      ...finding,
      wrong: [...wrong, ...finding.wrong],
      fault,
      seconds,
      kills: wrong.length === 0 ? 1 : 0,
    })
  }
  await last.signal('SIGTERM')
  return findings
}

/** Waits until the process died at its point; why it did not, or nothing. */
async function death(armed: Running): Promise<string[]> {
  const signal = await Promise.race([armed.ended, pause(REACH_LIMIT_MS, 'not reached' as const, { ref: false })])
  if (signal === 'not reached') await armed.signal('SIGKILL')
  return signal === 'SIGKILL' ? [] : [`did not die there (${signal}): ${armed.output().slice(-300)}`]
}

const nameOf = (spec: string): string => spec.replaceAll(/[^a-z]/g, '-')

type Driven = { finish(recovered: Running): Promise<Finding> }
const DRIVES: Record<
  Exclude<Drive, 'usage' | 'payments' | 'aws'>,
  (stage: Stage, armed: Running, name: string) => Promise<Driven>
> = {
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
