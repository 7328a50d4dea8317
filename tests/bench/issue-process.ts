import { issuePeriod } from '../../consumers/metering/issue.ts'
import { openEmbeddedBus } from '../../platform/bus/embedded.ts'
import { openDb } from '../../platform/db.ts'
import { silentLog } from '../../platform/log.ts'

/** What one month end took. `rss` is the most memory the process ever had, in bytes; `idle` that before it began. */
export type Issued = { invoices: number; ms: number; cpuMs: number; rss: number; idle: number }

/** A process of its own, so that its memory is that of issuing: `issue-process.ts SOCKET_FOLDER DATABASE PERIOD NOW`. */
async function main([socketFolder = '', database = '', period = '', now = '']: readonly string[]): Promise<void> {
  const server = { socketFolder, database }
  const db = openDb(server, 'atom_metering')
  const bus = openEmbeddedBus({ server, log: silentLog, appender: db, dbFor: () => db })
  await db.query('select 1')
  const failing = new Map<string, string>()
  const deps = { db, allTenants: db, bus, wake: bus.wake, log: silentLog, failing, now: () => new Date(now) }
  const idle = process.resourceUsage().maxRSS * 1_024
  const cpu = process.cpuUsage()
  const begun = performance.now()
  const issued = await issuePeriod({ ...deps, partnerSharePercent: '80', collectionHours: 1, paymentDays: 30 }, period)
  const ms = performance.now() - begun
  const { user, system } = process.cpuUsage(cpu)
  for (const [tenant, reason] of failing) throw new Error(`${tenant}: ${reason}`)
  const rss = process.resourceUsage().maxRSS * 1_024
  const told: Issued = { invoices: issued.length, ms, cpuMs: (user + system) / 1_000, rss, idle }
  console.log(JSON.stringify(told))
  await db.close()
}

await main(process.argv.slice(2))
