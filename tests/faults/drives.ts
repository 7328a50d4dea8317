import { setTimeout as pause } from 'node:timers/promises'
import { metering } from './aws-usage.ts'
import { crediting } from './credits.ts'
import { invoicesFound, issue, tenantsWithUsage } from './invoices.ts'
import { sealing } from './key-store.ts'
import type { Load } from './load.ts'
import type { Finding } from './oracle.ts'
import { suspending } from './organisations.ts'
import { approvePackage, packagesFound, uploadPackage } from './packages.ts'
import { collecting } from './payments.ts'
import type { Drive } from './points.ts'
import { beginRebuild, rebuildFound } from './rebuilds.ts'
import { rerating } from './reratings.ts'
import { rescanning } from './rescans.ts'
import { resubmitting } from './resubmissions.ts'
import { rotating } from './signing-keys.ts'
import { deadLettersOf, idle, type Server, type Stage } from './stage.ts'
import { telling } from './stripe-meters.ts'
import { deducting } from './wallets.ts'
import { calling } from './webhooks.ts'
import { withdrawing } from './withdrawals.ts'
import type { Running } from './world.ts'

/**
 * How processes are made to come to a point. `push` begins what leads there and goes on over any number of deaths;
 * `finish` waits in a process that lives until everything of that name is done, and compares.
 */
export type Driving = {
  services: readonly string[]
  /** Dies when it comes to the point for this time, the first otherwise. */
  at?(name: string): number
  /** Settings that its processes have beside the usual ones. */
  env?(): Promise<Record<string, string>>
  /** What has to be there before any of the points, done by a process that lives. */
  prepare?(server: Server, names: readonly string[]): Promise<void>
  push(server: Server, name: string): Promise<void>
  finish(last: Running, name: string): Promise<Finding>
  /** After the last of them. */
  close?(): Promise<void>
}

export const drives: Record<Drive, (stage: Stage) => Driving> = {
  usage: (stage) => usage(stage),
  poison: (stage) => poison(stage),
  packages: (stage) => packages(stage),
  'key-store': (stage) => sealing(stage),
  reviews: (stage) => reviews(stage),
  resubmissions: (stage) => resubmitting(stage),
  keys: (stage) => rotating(stage),
  withdrawals: (stage) => withdrawing(stage),
  orgs: (stage) => suspending(stage),
  issue: (stage) => issuing(stage),
  payments: (stage) => collecting(stage),
  credits: (stage) => crediting(stage),
  aws: (stage) => metering(stage),
  'stripe-meters': (stage) => telling(stage),
  wallets: (stage) => deducting(stage),
  rebuild: (stage) => rebuilding(stage),
  rerating: (stage) => rerating(stage),
  webhooks: (stage) => calling(stage),
  rescans: (stage) => rescanning(stage),
}

function usage(stage: Stage): Driving {
  const loads = new Map<string, Load>()
  return {
    services: ['billing'],
    async push({ urls }, name) {
      // What the process before still has to hear an answer to is repeated to this one, and nothing new is sent.
      for (const load of loads.values()) load.stop().catch(() => {})
      loads.set(
        name,
        stage.load(name, () => urls.billing, { everyMs: 20 }),
      )
    },
    async finish(last, name) {
      // The invoice that each is compared with has the usage of all of them.
      for (const load of loads.values()) await load.stop()
      return stage.check(name, loads.get(name) as Load, last)
    },
  }
}

function poison(stage: Stage): Driving {
  const driving = usage(stage)
  const ids = new Map<string, string[]>()
  return {
    ...driving,
    async push(server, name) {
      await driving.push(server, name)
      ids.set(name, await stage.poison(1))
    },
    async finish(last, name) {
      const finding = await driving.finish(last, name)
      const [times] = await deadLettersOf(stage.world, ids.get(name) as string[])
      if (times !== 1) finding.wrong.push(`the poison event was put aside ${times} times`)
      return finding
    },
  }
}

const tenantsOf = (name: string) => ['a', 'b', 'c'].map((letter) => `${name}-${letter}`)

function issuing(stage: Stage): Driving {
  return {
    services: ['billing'],
    prepare: (server, names) => tenantsWithUsage(stage, server, names.flatMap(tenantsOf)),
    async push(server) {
      // The crash eats its answer; whoever asks again is the next point, or the end.
      await issue(stage, server)
    },
    async finish(last, name) {
      await issue(stage, last)
      return invoicesFound(stage, tenantsOf(name))
    },
  }
}

const packagesOf = (name: string) => ['a', 'b'].map((letter) => `${name}-${letter}`)
const SERVICES = ['marketplace', 'governance']

function packages(stage: Stage): Driving {
  const published = new Map<string, Promise<void>>()
  return {
    services: SERVICES,
    async push(server, name) {
      const publish = async () => {
        for (const one of packagesOf(name)) await approvePackage(stage, server, await uploadPackage(stage, server, one))
      }
      const done = publish()
      published.set(name, done)
      await done
    },
    async finish(last, name) {
      await published.get(name)
      while (!(await idle(last, 'marketplace'))) await pause(50)
      return packagesFound(stage, packagesOf(name))
    },
  }
}

function reviews(stage: Stage): Driving {
  const uploaded = new Map<string, string>()
  const approved = new Map<string, Promise<void>>()
  return {
    services: SERVICES,
    async prepare(server, names) {
      for (const one of names.flatMap(packagesOf)) uploaded.set(one, await uploadPackage(stage, server, one))
    },
    async push(server, name) {
      const approve = async () => {
        for (const one of packagesOf(name)) await approvePackage(stage, server, uploaded.get(one) as string)
      }
      const done = approve()
      approved.set(name, done)
      await done
    },
    async finish(last, name) {
      await approved.get(name)
      while (!(await idle(last, 'marketplace'))) await pause(50)
      return packagesFound(stage, packagesOf(name))
    },
  }
}

function rebuilding(stage: Stage): Driving {
  const rebuilds = new Map<string, Promise<string>>()
  return {
    services: [...SERVICES, 'portal', 'data'],
    async prepare(server, names) {
      for (const one of names) await approvePackage(stage, server, await uploadPackage(stage, server, one))
    },
    async push(server, name) {
      const begun = beginRebuild(stage, server)
      rebuilds.set(name, begun)
      await begun
    },
    async finish(last, name) {
      return rebuildFound(stage, last, (await rebuilds.get(name)) ?? '')
    },
  }
}
