import { rows, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { rootOf } from '../../../platform/merkle.ts'
import { groupBy } from '../rating/group-by.ts'
import { type Billed, billedUsage } from './billed-usage.ts'
import { type Contribution, contributionLeaf } from './contribution.ts'
import { contributionsOf, countedRecords, placeKey, repeatsOf, type Sent } from './counted-records.ts'
import { REPORT_COLUMNS, readReport, retainedUntil, type StoredReport, type UsageLog } from './report-log.ts'

/** What reports added to a line, and the page of them that was asked for. */
export type LineReports = {
  root: string
  contributions: number
  page: { stored: StoredReport; quantity: string; records: number; used: Contribution[]; of: Contribution[] }[]
  repeats: Map<string, Set<number>>
}

/** The reports behind a line after a report id, one more than `limit`, and the root over what all of them added. */
export async function reportsOf(tx: Tx, billed: Billed, limit: number, after: string | null): Promise<LineReports> {
  const used = await billedUsage(tx, billed)
  const byReport = groupBy(used, ({ report_id }) => report_id)
  const ids = [...byReport.keys()].sort().filter((id) => after === null || id > after)
  const shown = ids.slice(0, limit + 1)
  const { tenant } = billed
  const stored = await rows<StoredReport>(
    tx,
    `select ${REPORT_COLUMNS} from metering.reports where tenant = ? and report_id = any(?::uuid[]) order by report_id`,
    [tenant, shown],
  )
  const all = groupBy(await contributionsOf(tx, tenant, shown), ({ report_id }) => report_id)
  return {
    root: rootOf(used.map(contributionLeaf)).toString('hex'),
    contributions: used.length,
    page: stored.map((one) => {
      const own = byReport.get(one.report_id) ?? []
      return {
        stored: one,
        quantity: formatDecimal(own.reduce((sum, { quantity }) => sum + decimal(quantity), 0n)),
        records: own.reduce((sum, { records }) => sum + records, 0),
        used: own,
        of: all.get(one.report_id) ?? [],
      }
    }),
    repeats: await repeatsOf(tx, tenant, shown),
  }
}

/** A report on a line as it travels; with a log, the events of the line that it holds while they are retained. */
export async function shownReport(
  { stored, quantity, records, used, of }: LineReports['page'][number],
  repeats: LineReports['repeats'],
  log: UsageLog | null,
) {
  const { report_id, received_at, reporter, root } = stored
  const shown = { report_id, received_at: received_at.toISOString(), reporter, quantity, records, root }
  if (!log) return shown
  const report = await readReport(log, stored)
  if (!report) return { ...shown, retained: false, retained_until: retainedUntil(stored).toISOString() }
  const counted = countedRecords(report, of, repeats.get(report_id) ?? new Set())
  const events: Sent[] = used.flatMap((one) => counted.get(placeKey(one)) ?? [])
  return { ...shown, retained: true, events: events.sort((a, b) => a.index - b.index) }
}
