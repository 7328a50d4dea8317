import { rows, type Tx } from '../../../platform/db.ts'
import { rootOf } from '../../../platform/merkle.ts'
import { groupBy } from '../rating/group-by.ts'
import { type Billed, billedLeaves, billedReports, chargesOf, isBilledOn } from './billed-usage.ts'
import type { Contribution } from './contribution.ts'
import { contributionsOf, countedRecords, placeKey, repeatsOf } from './counted-records.ts'
import { REPORT_COLUMNS, readReport, retainedUntil, type StoredReport, type UsageLog } from './report-log.ts'

/** A report behind a line: what it added to the line, and what to its own hours in all. */
export type LineReport = {
  stored: StoredReport
  quantity: string
  records: number
  used: Contribution[]
  all: Contribution[]
  repeats: ReadonlySet<number>
}
/** The root over what all reports added to a line, and the reports after one of them, one more than `limit`. */
export type LineReports = { root: string; contributions: number; found: LineReport[] }

/** What is behind a line in reports. */
export async function reportsOf(tx: Tx, billed: Billed, limit: number, after: string | null): Promise<LineReports> {
  const { tenant, line } = billed
  const [leaves = []] = await billedLeaves(tx, [billed])
  const sums = await billedReports(tx, billed, limit + 1, after)
  const ids = sums.map(({ report_id }) => report_id)
  const stored = await rows<StoredReport>(
    tx,
    `select ${REPORT_COLUMNS} from metering.reports where tenant = ? and report_id = any(?::uuid[])`,
    [tenant, ids],
  )
  const receipts = new Map(stored.map((one) => [one.report_id, one]))
  const all = groupBy(await contributionsOf(tx, tenant, ids), ({ report_id }) => report_id)
  const repeats = await repeatsOf(tx, tenant, ids)
  const charge = (await chargesOf(tx, [line]))(line)
  const found = sums.map(({ report_id, ...sum }): LineReport => {
    const own = all.get(report_id) ?? []
    return {
      ...sum,
      stored: receipts.get(report_id) as StoredReport,
      used: charge ? own.filter((one) => isBilledOn(billed, charge, one)) : [],
      all: own,
      repeats: repeats.get(report_id) ?? new Set(),
    }
  })
  return { root: rootOf(leaves).toString('hex'), contributions: leaves.length, found }
}

/** A report on a line as it travels; with a log, the events of the line that it holds while they are retained. */
export async function shownReport({ stored, quantity, records, used, all, repeats }: LineReport, log: UsageLog | null) {
  const { report_id, received_at, reporter, root } = stored
  const shown = { report_id, received_at: received_at.toISOString(), reporter, quantity, records, root }
  if (!log) return shown
  const report = await readReport(log, stored)
  if (!report) return { ...shown, retained: false, retained_until: retainedUntil(stored).toISOString() }
  const counted = countedRecords(report, all, repeats)
  const events = used.flatMap((one) => counted.get(placeKey(one)) ?? [])
  return { ...shown, retained: true, events: events.sort((a, b) => a.index - b.index) }
}
