import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { onUsageReported } from '../../consumers/metering/on-usage-reported.ts'
import type { Bus, OutgoingRecord } from '../../platform/bus/bus.ts'
import { ok } from '../../platform/bus/outcome.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import { type Handler, handler, runConsumer } from '../../platform/bus/runner.ts'
import { execute } from '../../platform/db.ts'
import { silentLog } from '../../platform/log.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { freshHome, startSystem } from '../../reports/running-system.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { type BusWorld, openBusWorld, RECORDS, reports, sendAll, tenants } from './bus-world.ts'
import { type Bench, type Figure, median, quantile } from './measure.ts'

const ROUNDS = 3
const REPORTS = 80
const now = () => new Date()
const perSecond = (count: number, ms: number) => (count * 1_000) / ms
const thousands = (rate: number) => `${(rate / 1_000).toFixed(1)}k records/s`

/** The bus: how close it comes to what the database can do, and what waiting on it costs. */
export const bus: Bench = async (say) => {
  const world = await openBusWorld()
  const figures: Figure[] = []
  try {
    await prepare(world)
    const rates = { append: [], copy: [], live: [], replay: [], kafka: [] } as Record<string, number[]>
    // The sides take turns, so that a slow moment of the machine falls on both.
    for (let round = 0; round < ROUNDS; round++) {
      const own = { append: await append(world), copy: await copy(world), live: await live(world, world.embedded) }
      const more = { replay: await replay(world), ...(world.kafka ? { kafka: await live(world, world.kafka) } : {}) }
      for (const [name, rate] of Object.entries({ ...own, ...more })) rates[name]?.push(rate)
      say(
        `round ${round + 1}: ${Object.entries({ ...own, ...more })
          .map(([name, rate]) => `${name} ${thousands(rate)}`)
          .join(', ')}`,
      )
    }
    const ratio = (name: string, above: string, below: string, hold: number, aim?: number): Figure => ({
      name,
      // The median of the rounds' ratios, not the ratio of medians: the two sides of a round saw the same machine.
      value: median((rates[above] ?? []).map((rate, n) => rate / (rates[below]?.[n] ?? Number.NaN))),
      unit: 'ratio',
      hold,
      ...(aim === undefined ? {} : { aim }),
      better: 'higher',
      sides: `${thousands(median(rates[above] ?? []))} over ${thousands(median(rates[below] ?? []))}`,
    })
    figures.push(ratio('append in reports of 500 over COPY of the same bytes', 'append', 'copy', 0.5))
    figures.push(ratio('replay into a projection over live metering', 'replay', 'live', 3, 4))
    if (world.kafka) figures.push(ratio('Kafka path over embedded path, same handler', 'kafka', 'live', 0.8, 1))
    for (const one of [world.embedded, world.kafka]) if (one) figures.push(...(await wakeUp(world, one)))
  } finally {
    await world.close()
  }
  figures.push(await idleCpu('embedded', {}))
  const kafka = await openBusWorld()
  try {
    if (kafka.kafka) figures.push(await idleCpu('kafka', { KAFKA_BROKERS: kafka.kafkaBrokers.join(',') }))
  } finally {
    await kafka.close()
  }
  return figures
}

/** Tenants whose usage is priced: what has no price is noted record by record, which is not the usual way. */
async function prepare({ as }: BusWorld): Promise<void> {
  const owner = as('postgres')
  const [seller] = tenants()
  const charges = ['bench_runs', 'bench_bytes'].map((meter) => ({
    id: meter,
    meter,
    model: 'per_unit',
    unit_amount: '1',
  }))
  const plan = { name: 'bench', currency: 'USD', charges }
  for (const tenant of tenants())
    await owner.query("insert into platform.orgs values (?, ?, 'member', now()) on conflict do nothing", [
      tenant,
      tenant,
    ])
  const [made] = await owner.query<{ id: string }>(
    `insert into metering.plans values (?, gen_random_uuid(), 'bench', 'USD', '2020-01-01', ?, now()) returning id`,
    [seller, JSON.stringify(plan)],
  )
  for (const tenant of tenants())
    await owner.query(
      `insert into metering.subscriptions
       values (?, gen_random_uuid(), ?, 'bench-package', ?, 'USD', '2020-01-01', null)`,
      [tenant, seller, made?.id],
    )
  for (const sql of [
    'create table public.copied (like platform.event_log including all)',
    `create table public.folded (tenant text, hour timestamptz, meter text, quantity numeric not null,
       primary key (tenant, hour, meter))`,
    'grant all on public.folded to atom_analytics',
  ])
    await owner.query(sql)
}

async function append({ embedded }: BusWorld): Promise<number> {
  const all = reports(REPORTS)
  return perSecond(REPORTS * RECORDS, await timed(() => sendAll(embedded, all)))
}

/** The same rows into a table like the log, in one COPY that the server reads from a file. */
async function copy({ as, folder }: BusWorld): Promise<number> {
  const file = join(folder, 'rows.copy')
  await writeFile(file, reports(REPORTS).map(copyLine).join(''), { mode: 0o644 })
  await readFile(file)
  const sql = `copy public.copied (topic, partition, key, headers, value) from '${file}'`
  return perSecond(REPORTS * RECORDS, await timed(() => as('postgres').query(sql)))
}

function copyLine({ topic, key, headers, value }: OutgoingRecord): string {
  const cells = [topic.name, partitionOf(key, topic.partitions), key, JSON.stringify(headers).replaceAll('\\', '\\\\')]
  return `${[...cells, `\\\\x${value.toString('hex')}`].join('\t')}\n`
}

/** From the first report sent until the last one is counted, by metering itself. */
async function live({ as }: BusWorld, on: Bus): Promise<number> {
  const metrics = createMetrics()
  const counting = counted(onUsageReported(metrics, now))
  const options = { bus: on, db: as('atom_metering'), group: 'metering', log: silentLog, metrics, now }
  const consuming = await runConsumer({ ...options, handlers: [counting.handler] })
  try {
    // What lies there from before is not counted, and joining a group is not measured.
    while (!consuming.active() || (await consuming.lag()).some(({ records }) => records > 0)) await pause(50)
    const warm = reports(1)
    const expected = counting.seen() + 1 + REPORTS
    await sendAll(on, warm)
    while (counting.seen() < expected - REPORTS) await pause(5)
    const all = reports(REPORTS)
    const ms = await timed(async () => {
      await sendAll(on, all)
      while (counting.seen() < expected) await pause(2)
      while ((await consuming.lag()).some(({ records }) => records > 0)) await pause(2)
    })
    return perSecond(REPORTS * RECORDS, ms)
  } finally {
    await consuming.stop()
  }
}

/** The whole log so far into an empty projection: sums per tenant, hour and meter, each event through the inbox. */
async function replay({ as, embedded }: BusWorld): Promise<number> {
  const owner = as('postgres')
  for (const sql of [
    'truncate public.folded',
    "delete from platform.cursors where consumer_group = 'analytics'",
    "delete from platform.inbox where consumer_group = 'analytics'",
  ])
    await owner.query(sql)
  const [log] = await owner.query<{ n: number }>('select count(*)::int as n from platform.event_log')
  const events = log?.n ?? 0
  const folding = counted(fold)
  const begun = performance.now()
  const consuming = await runConsumer({
    bus: embedded,
    db: as('atom_analytics'),
    group: 'analytics',
    handlers: [folding.handler],
    log: silentLog,
    metrics: createMetrics(),
    now,
  })
  try {
    while (folding.seen() < events) await pause(2)
    while ((await consuming.lag()).some(({ records }) => records > 0)) await pause(2)
    return perSecond(events * RECORDS, performance.now() - begun)
  } finally {
    await consuming.stop()
  }
}

const fold = handler({
  name: 'bench.fold',
  on: usageReported,
  emits: [],
  async handle({ data: { tenant, records } }, tx) {
    const sums = new Map<string, bigint>()
    for (const { time, meter, quantity } of records) {
      const group = `${time.slice(0, 13)}:00:00Z ${meter}`
      sums.set(group, (sums.get(group) ?? 0n) + BigInt(quantity.replace('.', '')))
    }
    const groups = [...sums].sort(([a], [b]) => (a < b ? -1 : 1))
    await execute(
      tx,
      `insert into public.folded (tenant, hour, meter, quantity)
       select ?, h, m, q from unnest(?::timestamptz[], ?::text[], ?::numeric[]) as s (h, m, q)
       on conflict (tenant, hour, meter) do update set quantity = folded.quantity + excluded.quantity`,
      [
        tenant,
        groups.map(([group]) => group.split(' ')[0]),
        groups.map(([group]) => group.split(' ')[1]),
        groups.map(([, sum]) => String(sum)),
      ],
    )
    return ok()
  },
})

/** From the moment the event is durable until a handler has it, at 20 events a second. */
async function wakeUp({ as }: BusWorld, on: Bus): Promise<Figure[]> {
  const arrived = new Map<string, number>()
  const watching = handler({
    name: 'bench.watch',
    on: usageReported,
    emits: [],
    async handle(event) {
      arrived.set(event.id, performance.now())
      return ok()
    },
  })
  const options = { bus: on, db: as('atom_governance'), group: 'governance', log: silentLog, now }
  const consuming = await runConsumer({ ...options, handlers: [watching], metrics: createMetrics() })
  while (!consuming.active() || (await consuming.lag()).some(({ records }) => records > 0)) await pause(50)
  const waits: number[] = []
  for (let n = 0; n < 200; n++) {
    const [record] = reports(1)
    if (!record) break
    await on.produce([record])
    const durable = performance.now()
    await pause(50)
    while (!arrived.has(record.headers.ce_id as string)) await pause(5)
    // It may arrive before the answer to its producer does.
    waits.push(Math.max(0, (arrived.get(record.headers.ce_id as string) as number) - durable))
  }
  await consuming.stop()
  const figure = (share: number, hold: number): Figure => ({
    name: `wake-up to handler, p${share * 100}, ${on.name}`,
    value: quantile(waits, share),
    unit: 'ms',
    hold,
    better: 'lower',
    sides: `${waits.length} events, largest ${Math.max(...waits).toFixed(1)} ms`,
  })
  return [figure(0.5, 10), figure(0.99, 50)]
}

function counted(inner: Handler): { handler: Handler; seen(): number } {
  let seen = 0
  return {
    seen: () => seen,
    handler: {
      ...inner,
      async handle(...args) {
        const outcome = await inner.handle(...args)
        seen += 1
        return outcome
      },
    },
  }
}

/** The whole process with its four consumers, timers and services, seeded and then left alone: an upper bound. */
async function idleCpu(name: string, env: Record<string, string>): Promise<Figure> {
  const home = await freshHome()
  const system = await startSystem(home, env)
  try {
    // Right after a start the compiler and the garbage collector still have work that no idle process has.
    await pause(60_000)
    const pid = system.process.pid as number
    const seconds = 30
    const before = await ticksOf(pid)
    await pause(seconds * 1_000)
    const ticks = (await ticksOf(pid)) - before
    return {
      name: `idle CPU of the process with all consumers, ${name}`,
      // The kernel counts in hundredths of a second, whatever its own clock.
      value: ticks / seconds,
      unit: '% of a core',
      hold: 2,
      better: 'lower',
      sides: `${(ticks * 10).toFixed(0)} ms of CPU in ${seconds} s`,
    }
  } finally {
    await system.stop()
    await home.remove()
  }
}

async function ticksOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
