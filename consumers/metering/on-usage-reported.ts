import { ok } from '../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../platform/bus/runner.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Metrics } from '../../platform/metrics.ts'
import { usageReported } from '../../schemas/events/usage.reported.ts'
import { countReport } from './count-report.ts'

const TABLES = [
  'dedupe',
  'rollups',
  'distinct_values',
  'priced_events',
  'reports',
  'exceptions',
  'contributions',
  'invoices',
  'late_periods',
  'used_versions',
].map((name) => `metering.${name}`)

/** A report of usage is counted; the invoice that changes with it is rated shortly after (`refresh.ts`). */
export function onUsageReported(metrics: Metrics, now: Clock): Handler {
  const records = metrics.counter('atom_usage_records_total', 'Usage records by what became of them', ['status'])
  return handler({
    name: 'metering.on-usage-reported',
    on: usageReported,
    emits: [],
    writes: TABLES,
    async handle(event, tx, _prepared, at) {
      const { counted, exceptions } = await countReport(tx, event, now(), at)
      records.inc({ status: 'counted' }, counted)
      for (const { status } of exceptions) records.inc({ status })
      return ok()
    },
  })
}
