import { setTimeout as pause } from 'node:timers/promises'
import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { approvePackage, uploadPackage } from './packages.ts'
import { idle, insist, type Server, type Stage } from './stage.ts'

const namesOf = (name: string) => ['a', 'b'].map((letter) => `${name}-${letter}`)

/** Published packages are yanked by their publisher, and a reviewer releases the usage that this quarantined. */
export function withdrawing(stage: Stage): Driving {
  const uploaded = new Map<string, string>()
  const withdrawn = new Map<string, Promise<void>>()
  const { orgs } = stage
  const reviewer = { token: orgs.atom.tokens.reviewer as string }
  const withdraw = async (server: Server, name: string) => {
    const yank = { token: orgs.demo.tokens.partner, service: 'marketplace' as const, body: { reason: 'loses jobs' } }
    await insist(server, 'POST', `/wpk/${uploaded.get(name)}/yank`, yank)
    let id = ''
    await insist(server, 'GET', '/billing/quarantines?limit=500', reviewer, ({ body }) => {
      const { quarantines = [] } = body as { quarantines?: { id: string; package: string; version: string | null }[] }
      id = quarantines.find((one) => one.package === name && one.version !== null)?.id ?? ''
      return id !== ''
    })
    const body = { decision: 'release', justification: 'agreed with the publisher' }
    // 409: the decision was stored before the crash that ate the answer.
    const decided = ({ status }: { status: number }) => status === 200 || status === 409
    await insist(server, 'POST', `/billing/quarantines/${id}`, { ...reviewer, body }, decided)
  }
  return {
    services: ['marketplace', 'governance', 'billing'],
    async prepare(server, names) {
      for (const one of names.flatMap(namesOf)) {
        const id = await uploadPackage(stage, server, one)
        await approvePackage(stage, server, id)
        uploaded.set(one, id)
      }
    },
    async push(server, name) {
      const all = async () => {
        for (const one of namesOf(name)) await withdraw(server, one)
      }
      const done = all()
      withdrawn.set(name, done)
      await done
    },
    async finish(last, name) {
      await withdrawn.get(name)
      while (!(await idle(last, 'billing'))) await pause(50)
      return found(stage, namesOf(name))
    },
  }
}

/** Each version is yanked, recorded and told once; its usage and that which names no version is quarantined once. */
async function found({ world: { owner } }: Stage, names: readonly string[]): Promise<Finding> {
  const versions = await owner.query<{ name: string; yanked: boolean; recorded: number; told: number }>(
    `select name, status = 'yanked' as yanked,
       (select count(*)::int from marketplace.decisions d
        where d.version_id = v.id and d.org = v.org and d.decision = 'yank') as recorded,
       (select count(*)::int from platform.event_log e
        where e.key = v.name and e.headers->>'ce_type' = 'wpk.yanked') as told
     from marketplace.versions v where name = any(?::text[])`,
    [names],
  )
  const quarantines = await owner.query<{ package: string; states: string }>(
    `select package, string_agg(state, ' ' order by version) as states from metering.quarantines
     where package = any(?::text[]) group by package`,
    [names],
  )
  const wrong: string[] = []
  let double = 0
  for (const { name, yanked, recorded, told } of versions) {
    double += Math.max(0, recorded - 1) + Math.max(0, told - 1)
    const states = quarantines.find((one) => one.package === name)?.states
    if (!yanked || recorded !== 1 || told !== 1 || states !== 'quarantined released')
      wrong.push(`${name}: yanked ${yanked}, ${recorded} records, ${told} events, quarantines ${states}`)
  }
  const counted = versions.filter(({ yanked }) => yanked).length
  return { acknowledged: names.length, counted, lost: names.length - counted, double, wrong }
}
