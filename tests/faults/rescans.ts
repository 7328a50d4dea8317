import { setTimeout as pause } from 'node:timers/promises'
import { publish } from '../../platform/bus/outbox.ts'
import { analyzerChanged } from '../../schemas/events/analyzer.changed.ts'
import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { approvePackage, uploadPackage } from './packages.ts'
import { idle, type Stage } from './stage.ts'

const namesOf = (name: string) => ['a', 'b', 'c'].map((letter) => `${name}-${letter}`)

/** Published packages are judged anew because the analyzer is said to have changed. */
export function rescanning(stage: Stage): Driving {
  const { world } = stage
  const answered = async (name: string) => (await rowsOf(stage, namesOf(name))).every(({ answers }) => answers > 0)
  return {
    services: ['marketplace', 'governance'],
    async prepare(server, names) {
      for (const one of names.flatMap(namesOf))
        await approvePackage(stage, server, await uploadPackage(stage, server, one))
    },
    async push() {
      const analyzer = { ruleset: 'faults', model_version: '1.0.0', model_sha256: 'f'.repeat(64) }
      const event = analyzerChanged.create({ analyzer }, { source: '//faults', now: new Date() })
      await world.owner.transaction((tx) => publish(tx, analyzerChanged, [event]))
    },
    async finish(last, name) {
      while (!(await answered(name)) || !(await idle(last, 'governance')) || !(await idle(last, 'marketplace')))
        await pause(50)
      return found(stage, namesOf(name))
    },
  }
}

const rowsOf = ({ world: { owner } }: Stage, names: readonly string[]) =>
  owner.query<{ name: string; status: string; rounds: number; asked: number; answers: number }>(
    `select v.name, v.status,
       (select count(*)::int from marketplace.rescanned_versions r where r.org = v.org and r.version_id = v.id) as rounds,
       (select count(*)::int from platform.event_log e
        where e.key = v.name and e.headers->>'ce_type' = 'rescan.requested') as asked,
       (select count(*)::int from platform.event_log e
        where e.key = v.name and e.headers->>'ce_type' = 'wpk.rescanned') as answers
     from marketplace.versions v where v.name = any(?::text[])`,
    [names],
  )

/** Each version was asked about once and answered once, and is what it was. */
async function found(stage: Stage, names: readonly string[]): Promise<Finding> {
  const versions = await rowsOf(stage, names)
  const wrong = versions
    .filter(
      ({ status, rounds, asked, answers }) => status !== 'published' || rounds !== 1 || asked !== 1 || answers !== 1,
    )
    .map((one) => JSON.stringify(one))
  const double = versions.reduce(
    (sum, { asked, answers }) => sum + Math.max(0, asked - 1) + Math.max(0, answers - 1),
    0,
  )
  const counted = versions.filter(({ answers }) => answers > 0).length
  return { acknowledged: names.length, counted, lost: names.length - counted, double, wrong }
}
