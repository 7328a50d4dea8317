import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uuidv7 } from 'uuidv7'
import { kafkaMissing } from '../../deploy/kafka/jars.ts'
import { type RunningKafka, startKafka } from '../../deploy/kafka/start.ts'
import { toRecord } from '../../platform/bus/binary-mode.ts'
import type { Bus, OutgoingRecord } from '../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../platform/bus/embedded.ts'
import { openKafkaBus } from '../../platform/bus/kafka.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import { type Db, openDb } from '../../platform/db.ts'
import { startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { migrate } from '../../platform/migrate.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { topicList } from '../../schemas/topics.ts'
import { migrationsFolder } from '../support/database.ts'

export type BusWorld = {
  folder: string
  embedded: Bus
  kafka: Bus | null
  kafkaBrokers: string[]
  as(role: string): Db
  close(): Promise<void>
}
export const RECORDS = 500

/** A durable server of its own (it waits for the disk, unlike that of the tests), and a broker where Java is. */
export async function openBusWorld(): Promise<BusWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'atom-bench-'))
  // The server may run as another user and has to reach its data, and the file that COPY reads.
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres(folder, silentLog)
  const server = { socketFolder: postgres.socketFolder, database: 'bench_test' }
  await migrate(server, migrationsFolder)
  const pools = new Map<string, Db>()
  const as = (role: string): Db => {
    const pool = pools.get(role) ?? openDb(server, role, 8)
    pools.set(role, pool)
    return pool
  }
  const embedded = openEmbeddedBus({
    server,
    log: silentLog,
    appender: as('atom_app'),
    dbFor: (group) => as(`atom_${group}`),
  })
  const broker = (await kafkaMissing()) === null ? await brokerIn(folder) : null
  const kafka = broker
    ? await openKafkaBus({ ...broker, topics: topicList, log: silentLog, metrics: createMetrics() })
    : null
  return {
    folder,
    embedded,
    kafka,
    kafkaBrokers: broker?.brokers ?? [],
    as,
    async close() {
      await embedded.close()
      await kafka?.close()
      for (const pool of pools.values()) await pool.close()
      await postgres.stop()
      await broker?.stop()
      await rm(folder, { recursive: true, force: true })
      await rm(postgres.socketFolder, { recursive: true, force: true })
    },
  }
}

const brokerIn = (folder: string): Promise<RunningKafka> =>
  startKafka({ folder: join(folder, 'kafka'), brokers: 1, log: silentLog })

/** One tenant for each partition, so that all of them have as much to do. */
export function tenants(): string[] {
  const { partitions } = usageReported.topic
  const names = Array.from({ length: 100 }, (_, n) => `bench-${n}`)
  return Array.from(
    { length: partitions },
    (_, n) => names.find((name) => partitionOf(name, partitions) === n) as string,
  )
}

/** Reports of 500 records each with ids never used before, as the edge hands them to the bus. */
export function reports(count: number): OutgoingRecord[] {
  const now = new Date()
  const all = tenants()
  return Array.from({ length: count }, (_, n) => {
    const tenant = all[n % all.length] as string
    const report_id = uuidv7()
    const records = Array.from({ length: RECORDS }, (_, at) => ({
      id: `${report_id}-${at}`,
      meter: at % 3 === 0 ? 'bench_bytes' : 'bench_runs',
      quantity: `${1 + (at % 97)}.${at % 10}25`,
      time: new Date(now.getTime() - (at % 6) * 3_600_000).toISOString(),
      package: 'bench-package',
      dimensions: { region: at % 2 === 0 ? 'eu' : 'us' },
    }))
    const data = { report_id, tenant, reporter: tenant, received_at: now.toISOString(), root: '0'.repeat(64), records }
    const event = usageReported.create(data, { source: '//atom/bench', now, id: report_id })
    return toRecord(event, usageReported.topic)
  })
}

/** Sends each as a report of its own, from four clients at a time. */
export async function sendAll(bus: Bus, all: readonly OutgoingRecord[]): Promise<void> {
  const waiting = [...all]
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) await bus.produce([one])
    }),
  )
}
