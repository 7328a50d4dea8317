import { scopeOf } from '../../platform/auth/principal.ts'
import { rows, type Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, everyone, type Route } from '../../platform/http/route.ts'
import { isUuid } from '../../platform/uuid.ts'
import type { MeteringDeps } from './deps.ts'
import { billedBy } from './receipts/billed-by.ts'
import { contributionsOf } from './receipts/counted-records.ts'

type ReportRow = {
  tenant: string
  reporter: string
  received_at: Date
  record_count: number
  indexes: number[] | null
  root: string
}
type ExceptionRow = { tenant: string; record_index: number; status: string }

/** What became of each record of a report. Only exceptions are stored; the rest counted. */
export function receiptRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const id = call.params.report_id ?? ''
    if (!isUuid(id)) throw unknown()
    return deps.db.transaction(
      async (tx) => {
        const reports = await rows<ReportRow>(
          tx,
          'select tenant, reporter, received_at, record_count, indexes, root from metering.reports where report_id = ? order by tenant',
          [id],
        )
        const first = reports[0]
        if (!first) throw unknown()
        const exceptions = await rows<ExceptionRow>(
          tx,
          `select e.tenant, e.record_index,
             case when e.status = 'quarantined' and q.state = 'released' then 'counted' else e.status end as status
           from metering.exceptions e left join metering.quarantines q on q.id = e.quarantine
           where e.report_id = ? order by e.tenant, e.record_index`,
          [id],
        )
        const lines = await linesOf(tx, id, reports)
        return { status: 200, body: { ...receiptOf(id, reports, exceptions), lines } }
      },
      { scope: scopeOf(call.principal) },
    )
  }

  return {
    method: 'GET',
    path: '/usage/receipts/:report_id',
    summary: 'What became of a report',
    access: everyone,
    handle,
  }
}

/** The lines of issued invoices that billed the report, of those tenants whose invoices the caller may see. */
async function linesOf(tx: Tx, id: string, reports: readonly ReportRow[]) {
  const lines = new Map<string, { invoice: string; number: string; line_id: string }>()
  for (const { tenant } of reports)
    for (const { invoice, line } of await billedBy(tx, tenant, await contributionsOf(tx, tenant, [id])))
      lines.set(`${invoice.id} ${line.id}`, { invoice: invoice.id, number: invoice.number, line_id: line.id })
  return [...lines.values()]
}

function receiptOf(id: string, reports: readonly ReportRow[], exceptions: readonly ExceptionRow[]) {
  const first = reports[0] as ReportRow
  const records = reports.flatMap(({ tenant, record_count, indexes }) => {
    const statuses = new Map(
      exceptions.filter((one) => one.tenant === tenant).map((one) => [one.record_index, one.status]),
    )
    const places = indexes ?? Array.from({ length: record_count }, (_, place) => place)
    return places.map((index) => ({ tenant, index, status: statuses.get(index) ?? 'counted' }))
  })
  records.sort((a, b) => a.index - b.index)
  return {
    report_id: id,
    reporter: first.reporter,
    received_at: first.received_at.toISOString(),
    root: first.root,
    count: records.length,
    records,
  }
}

const unknown = () => httpError('not_found', 'no receipt with this id; a report is counted within seconds of its 202')
