import { analyticsHandlers, projections } from '../../consumers/analytics/index.ts'
import { openEmbeddedBus } from '../../platform/bus/embedded.ts'
import { openKafkaBus } from '../../platform/bus/kafka.ts'
import { openDb } from '../../platform/db.ts'
import { armFault } from '../../platform/fault.ts'
import { silentLog as log } from '../../platform/log.ts'
import { createMetrics } from '../../platform/metrics.ts'
import { runReplays } from '../../platform/replay/replay-worker.ts'
import { topicList } from '../../schemas/topics.ts'
import type { SocketServer } from './database.ts'

/** A process of its own that does analytics' rebuilds until it comes to the fault it was armed with. */
export type ReplayProcess = { server: SocketServer; brokers: string[] | null; fault: string; maxRecords: number }

const { server, brokers, fault, maxRecords } = JSON.parse(process.argv[2] ?? '') as ReplayProcess
armFault(fault)
const db = openDb(server, 'atom_analytics')
const bus = brokers
  ? await openKafkaBus({ brokers, topics: topicList, log, metrics: createMetrics() })
  : openEmbeddedBus({ server, log, dbFor: () => db, appender: db })
const group = { group: 'analytics', handlers: analyticsHandlers(), projections }
runReplays({ bus, db, group, log, now: () => new Date(), everyMs: 20, maxRecords })
