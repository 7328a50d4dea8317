import { setTimeout as pause } from 'node:timers/promises'
import { append } from '../../platform/bus/outbox.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import { periodOf } from '../../platform/utc-time.ts'
import { type Credentials, request } from '../../reports/running-system.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { type Journal, type Load, type LoadOptions, loadMonth, PACKAGE, startLoad } from './load.ts'
import { CHARGES, compare, type Finding, invoiceFaults, settled } from './oracle.ts'
import type { Running, World } from './world.ts'

/** A world with a tenant that pays for what it reports, and everything its clients were ever told. */
export type Stage = {
  world: World
  orgs: Credentials['orgs']
  planId: string
  load(name: string, url: () => string, more?: Partial<LoadOptions>): Load
  /** Ends the load, waits until all is counted, and compares: the records, their sum, and the invoice. */
  check(name: string, load: Load, running: Running): Promise<Finding>
  poison(count: number): Promise<string[]>
}
export const TENANT = 'acme'
const REPEAT_LIMIT_MS = 120_000

export async function openStage(world: World): Promise<Stage> {
  const first = await world.start(['billing'])
  const orgs = await world.credentials()
  await world.owner.query(
    "insert into metering.packages (partner, package, published_at) values ('demo', ?, now()) on conflict do nothing",
    [PACKAGE],
  )
  const plan = { name: 'faults', currency: 'USD', charges: CHARGES, effective_from: '2020-01-01T00:00:00Z' }
  const token = orgs.demo.tokens.partner
  const made = await request('POST', `${first.urls.billing}/billing/plans`, { token, body: plan })
  const planId = (made.body as { id: string }).id
  const stage = { world, orgs, planId }
  await subscribe(stage, first, TENANT)
  await first.signal('SIGTERM')
  const journals = new Map<string, Journal>()
  return {
    ...stage,
    load(name, url, more = {}) {
      const load = startLoad({ name, url, apiKey: orgs.acme.api_key, ...more })
      journals.set(name, load.journal)
      return load
    },
    async check(name, load, running) {
      await load.stop()
      // The invoice bills them all, so all of them have to be counted.
      for (const [one, journal] of journals) await settled(world.owner, one, journal, () => idle(running))
      const finding = await compare(world.owner, name, load.journal)
      const period = periodOf(loadMonth)
      const { body } = await insist(running, 'GET', `/billing/invoice/${TENANT}?period=${period}`, {
        token: orgs.atom.tokens.finance as string,
      })
      finding.wrong.push(...invoiceFaults(body, [...journals.values()]))
      // What was lost or late is explained by the process that counts, and it is about to be ended.
      if (finding.lost > 0 || finding.wrong.length > 0) console.error(`${name}: ${running.output().slice(-4_000)}`)
      return finding
    },
    poison: (count) => poison(world, count),
  }
}

/** Finance subscribes a tenant to the package of this test, from before any usage of it. */
export async function subscribe(stage: Pick<Stage, 'orgs' | 'planId'>, running: Server, tenant: string) {
  const body = { tenant, package: PACKAGE, plan_id: stage.planId, starts_at: '2020-01-01T00:00:00Z' }
  const token = stage.orgs.atom.tokens.finance as string
  const { status } = await request('POST', `${running.urls.billing}/billing/subscriptions`, { token, body })
  if (status !== 201) throw new Error(`subscribing ${tenant} was answered ${status}`)
}

/** A process, or whichever comes to life at its addresses. */
export type Server = Pick<Running, 'urls' | 'alive'>

/** Asks until it is answered as wanted, as a client does whose server dies and comes back. */
export async function insist(
  running: Server,
  method: string,
  path: string,
  options: { token: string; body?: unknown; service?: keyof Running['urls'] },
  wanted: (answer: { status: number; body: never }) => boolean = ({ status }) => status >= 200 && status < 300,
): Promise<{ status: number; body: never }> {
  const deadline = performance.now() + REPEAT_LIMIT_MS
  let last = 'nothing'
  while (performance.now() < deadline) {
    try {
      const answer = await request(method, `${running.urls[options.service ?? 'billing']}${path}`, options)
      if (wanted(answer)) return answer
      last = `${answer.status} ${JSON.stringify(answer.body)}`
    } catch (error) {
      last = String(error)
      if (!running.alive()) throw error
    }
    await pause(40)
  }
  throw new Error(`${method} ${path} was not answered as wanted; last: ${last}`)
}

/** Every group of the process has applied what there is, and the relay has carried it. */
export async function idle(
  { urls }: Pick<Running, 'urls'>,
  service: keyof Running['urls'] = 'billing',
): Promise<boolean> {
  const { body } = await request('GET', `${urls[service]}/health`)
  const { checks } = body as { checks: { name: string; detail?: string }[] }
  return checks
    .filter(({ name }) => name === 'consumer' || name === 'relay')
    .every(({ detail }) => / 0 events behind$/.test(detail ?? ''))
}

/** Puts events that nobody can read among the tenant's, under a key of their own. Returns their ids. */
async function poison(world: World, count: number): Promise<string[]> {
  const { topic } = usageReported
  const same = partitionOf(TENANT, topic.partitions)
  const keys = Array.from({ length: 100 }, (_, n) => `poison-${n}`)
  const key = keys.find((one) => partitionOf(one, topic.partitions) === same) as string
  const ids = Array.from({ length: count }, (_, n) => `poison-${process.hrtime.bigint()}-${n}`)
  await world.owner.transaction((tx) =>
    append(
      tx,
      ids.map((id) => ({
        topic,
        key,
        headers: {
          'content-type': 'application/json',
          ce_specversion: '1.0',
          ce_id: id,
          ce_source: '//atom/faults',
          ce_type: usageReported.type,
          ce_time: new Date().toISOString(),
          ce_dataschema: `atom:${usageReported.type}:${usageReported.version}`,
          ce_partitionkey: key,
          ce_correlationid: id,
        },
        value: Buffer.from('{"poison":true}'),
      })),
    ),
  )
  return ids
}

/** How often each of these events was put aside. */
export async function deadLettersOf(world: World, ids: readonly string[]): Promise<number[]> {
  const found = await world.owner.query<{ id: string; n: number }>(
    `select headers->>'ce_id' as id, count(*)::int as n from platform.dead_letters
     where headers->>'ce_id' = any(?::text[]) group by 1`,
    [ids],
  )
  return ids.map((id) => found.find((one) => one.id === id)?.n ?? 0)
}
