import { fromRecord } from '../../../platform/bus/binary-mode.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import { PositionInvalid } from '../../../platform/bus/position.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { topics } from '../../../schemas/topics.ts'
import { currentEvent } from '../../../schemas/upcast.ts'
import type { Report } from '../count-report.ts'

export type UsageLog = Pick<Bus, 'bounds' | 'read'>
/** A report's row: what is known of it, and where it stood in the log. */
export type StoredReport = {
  tenant: string
  report_id: string
  reporter: string
  received_at: Date
  record_count: number
  indexes: number[] | null
  root: string
  log_partition: number | null
  log_position: string | null
}
export const REPORT_COLUMNS =
  'tenant, report_id, reporter, received_at, record_count, indexes, root, log_partition, log_position'

/** A report as it stands in the log, or null when the log does not hold it any more. */
export async function readReport(log: UsageLog, stored: StoredReport): Promise<Report | null> {
  const { tenant, report_id, log_partition: partition, log_position: at } = stored
  if (partition === null || at === null) return null
  try {
    const from = (await log.bounds(topics.usage, { kind: 'offset', at }))[partition]?.at
    const until = (await log.bounds(topics.usage, { kind: 'latest' }))[partition]?.at
    if (from === undefined || until === undefined) return null
    const [found] = await log.read({ topic: topics.usage, partition, from, until, maxRecords: 1 })
    // What the log holds first from there is another report once this one is gone.
    if (found?.headers.ce_id !== `${report_id}/${tenant}`) return null
    return currentEvent(usageReported, fromRecord(found))
  } catch (error) {
    // Its place is one of the other bus: the log was begun anew when the backend was changed.
    if (error instanceof PositionInvalid) return null
    throw error
  }
}

/** When the log let go of a report, or will. */
export const retainedUntil = ({ received_at }: StoredReport): Date =>
  new Date(received_at.getTime() + topics.usage.retentionDays * 86_400_000)
