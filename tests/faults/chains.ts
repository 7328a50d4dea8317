import { setTimeout as pause } from 'node:timers/promises'
import { type Driving, drives } from './drives.ts'
import type { Finding } from './oracle.ts'
import { type Drive, points } from './points.ts'
import type { Server, Stage } from './stage.ts'
import type { Backend, Running } from './world.ts'

/** Points that the same acts lead to. */
export type Chain = { drive: Drive; specs: string[] }
export type PointFinding = Finding & { fault: string; kills: boolean; times: number; seconds: number }

const REACH_LIMIT_MS = 45_000
/** Two chains of usage can go side by side, and a chain that fails takes no more than these along. */
const LONGEST = 8

export const faultOf = (spec: string): string => `dies at ${spec}`

/** What these do stays in the database; their events leave through the outbox, whose own points are run on Kafka. */
export const IN_DATABASE: readonly Drive[] = [
  'key-store',
  'reviews',
  'resubmissions',
  'keys',
  'withdrawals',
  'orgs',
  'issue',
  'payments',
  'credits',
  'wallets',
  'aws',
  'stripe-meters',
  'webhooks',
]

/**
 * Every point once; of code that groups share, one group, or in the long form each. What stays in the database is run on
 * Kafka too in the long form only.
 */
export function chains(backend: Backend, long: boolean): Chain[] {
  const byDrive = new Map<Drive, string[]>()
  for (const { name, drive, groups, only } of points) {
    if (only !== undefined && only !== backend) continue
    if (!long && backend === 'kafka' && IN_DATABASE.includes(drive)) continue
    const specs = groups?.map((group) => `${name}@${group}`).slice(0, long ? groups.length : 1) ?? [name]
    for (const [n, spec] of specs.entries()) {
      // The first group counts usage; the others react to packages.
      const of = n === 0 ? drive : 'packages'
      byDrive.set(of, [...(byDrive.get(of) ?? []), spec])
    }
  }
  return [...byDrive].flatMap(([drive, specs]) =>
    Array.from({ length: Math.ceil(specs.length / LONGEST) }, (_, n) => ({
      drive,
      specs: specs.slice(n * LONGEST, (n + 1) * LONGEST),
    })),
  )
}

/**
 * Starts a process that dies at the first point and drives it there; the one that takes over dies at the next point, and
 * so on. Whoever drives goes on over all of that, and is compared with what is stored after the last.
 */
export async function runChain(stage: Stage, { drive, specs }: Chain): Promise<PointFinding[]> {
  const { world } = stage
  const driving = drives[drive](stage)
  const env = (await driving.env?.()) ?? {}
  // The next process has the same addresses.
  const server: Server = { urls: world.home.urls, alive: () => true }
  if (driving.prepare) {
    const first = await world.start(driving.services, { env })
    await driving.prepare(server, specs.map(nameOf))
    await first.signal('SIGTERM')
  }
  const made: { spec: string; wrong: string[]; seconds: number }[] = []
  for (const spec of specs) made.push({ spec, ...(await dieAt(stage, driving, env, server, spec)) })
  const last = await world.start(driving.services, { env })
  const findings: PointFinding[] = []
  for (const { spec, wrong, seconds } of made) {
    const finding = await driving.finish(last, nameOf(spec))
    const times = wrong.length === 0 ? 1 : 0
    findings.push({
      ...finding,
      wrong: [...wrong, ...finding.wrong],
      fault: faultOf(spec),
      seconds,
      times,
      kills: true,
    })
  }
  await last.signal('SIGTERM')
  await driving.close?.()
  return findings
}

async function dieAt({ world }: Stage, driving: Driving, own: Record<string, string>, server: Server, spec: string) {
  const begun = performance.now()
  const env = { ...own, ATOM_FAULT: `${spec}:${driving.at?.(nameOf(spec)) ?? 1}` }
  const armed = await world.start(driving.services, { env, wait: false })
  driving.push(server, nameOf(spec)).catch(() => {})
  const wrong = await death(armed)
  return { wrong, seconds: (performance.now() - begun) / 1_000 }
}

/** Waits until the process died at its point; why it did not, or nothing. */
async function death(armed: Running): Promise<string[]> {
  const signal = await Promise.race([armed.ended, pause(REACH_LIMIT_MS, 'not reached' as const, { ref: false })])
  if (signal === 'not reached') await armed.signal('SIGKILL')
  return signal === 'SIGKILL' ? [] : [`did not die there (${signal}): ${armed.output().slice(-300)}`]
}

const nameOf = (spec: string): string => spec.replaceAll(/[^a-z]/g, '-')
