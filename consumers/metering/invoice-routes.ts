import { Type } from '@sinclair/typebox'
import { type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { row, type Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { periodOf } from '../../platform/utc-time.ts'
import { closed, Period } from '../../schemas/envelope.ts'
import type { MeteringDeps } from './deps.ts'
import { billingError } from './errors.ts'
import { explainLine } from './explain-line.ts'
import { findInvoice, invoiceBody, rateInOrder } from './invoice.ts'
import { invoiceCsv } from './invoice-csv.ts'
import { invoicePdf } from './invoice-pdf.ts'
import { collectionEnds, issuePeriod } from './issue.ts'
import type { InvoiceState } from './life/invoice-state.ts'
import { liveState } from './life/shown-state.ts'
import { shownReport } from './receipts/line-reports.ts'

const IssueBody = closed({ period: Period, collection: Type.Optional(Type.Literal('skip')) })
const EXPLAINED_WITH_EVENTS = 20

/** Invoices: live for the open month, from their stored bytes once issued. */
export function invoiceRoutes(deps: MeteringDeps): Route[] {
  async function show(call: Call): Promise<Answer> {
    const [tenant = '', format] = (call.params.tenant ?? '').split('.', 2)
    if (format !== undefined && format !== 'csv' && format !== 'pdf')
      throw httpError('not_found', 'an invoice is JSON, or a document as `.csv` or `.pdf`')
    const found = await withInvoice(call, tenant, async (_tx, one) => one)
    if (format !== undefined) return document(found.invoice, format)
    if (!found.bytes) return { status: 200, body: found.invoice }
    return { status: 200, bytes: found.bytes, type: 'application/json', headers: { etag: `"sha256:${found.sha256}"` } }
  }

  async function explain(call: Call): Promise<Answer> {
    const tenant = call.params.tenant ?? ''
    const withEvents = call.query.get('events') === 'true'
    const { limit: asked, after } = pageRequest(call.query, ['uuid'])
    // A report has up to a thousand events.
    const limit = withEvents ? Math.min(asked, EXPLAINED_WITH_EVENTS) : asked
    const { explained, reported } = await withInvoice(call, tenant, (tx, { invoice }) => {
      const line = invoice.lines.find(({ id }) => id === call.params.id)
      if (!line) throw httpError('not_found', `the invoice of ${invoice.period} has no line with this id`)
      return explainLine(tx, tenant, invoice, line, { limit, after: after?.[0] ?? null })
    })
    const { items, next } = page(reported.found, limit, ({ stored }) => [stored.report_id])
    const reports: object[] = []
    for (const one of items) reports.push(await shownReport(one, withEvents ? deps.bus : null))
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { ...explained, reports, next } }
  }

  /** The invoice that a call names, from its stored bytes once issued, live before. 404 for what the caller may not see. */
  async function withInvoice<T>(
    call: Call,
    tenant: string,
    then: (
      tx: Tx,
      found: {
        invoice: ReturnType<typeof invoiceBody> & { state?: InvoiceState }
        bytes?: Buffer
        sha256?: string | null
      },
    ) => Promise<T>,
  ): Promise<T> {
    const at = deps.now()
    const period = call.query.get('period') ?? periodOf(at)
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(period))
      throw httpError('parameter_invalid', '`period` is a month such as 2026-11')
    return deps.db.transaction(
      async (tx) => {
        await requireTenant(tx, call.principal, tenant)
        const stored = await findInvoice(tx, tenant, period)
        if (stored?.body) {
          const invoice = JSON.parse(stored.body.toString('utf8')) as ReturnType<typeof invoiceBody>
          return then(tx, { invoice, bytes: stored.body, sha256: stored.sha256 })
        }
        if (!stored && period !== periodOf(at)) throw httpError('not_found', `no invoice of ${tenant} for ${period}`)
        const live = await rateInOrder(tx, tenant, period, deps.partnerSharePercent, at)
        const state = await liveState(tx, deps, call.principal, live.id, period)
        return then(tx, { invoice: { ...invoiceBody(tenant, period, live, { status: 'gathering' }, at), state } })
      },
      { scope: scopeOf(call.principal) },
    )
  }

  async function issue(call: Call): Promise<Answer> {
    const { period, collection } = checked(IssueBody, jsonBody(call))
    const ends = collection === 'skip' ? collectionEnds(period, 0) : collectionEnds(period, deps.collectionHours)
    if (ends > deps.now()) throw billingError('period_open', `${period} collects usage until ${ends.toISOString()}`)
    return { status: 200, body: { period, issued: await issuePeriod(deps, period) } }
  }

  return [
    {
      method: 'GET',
      path: '/billing/invoice/:tenant',
      summary: "A tenant's invoice of a month",
      access: everyone,
      handle: show,
    },
    {
      method: 'GET',
      path: '/billing/invoice/:tenant/lines/:id/explain',
      summary: 'What is behind a line: price, hours of usage, reports, their events, postings',
      access: everyone,
      handle: explain,
    },
    {
      method: 'POST',
      path: '/billing/invoices/issue',
      summary: 'Issue the invoices of a closed month',
      access: { roles: ['finance'] },
      handle: issue,
    },
  ]
}

async function document(invoice: ReturnType<typeof invoiceBody>, format: 'csv' | 'pdf'): Promise<Answer> {
  const name = `${invoice.number ?? `${invoice.tenant}-${invoice.period}`}.${format}`
  const headers = { 'content-disposition': `attachment; filename="${name}"` }
  if (format === 'pdf') return { status: 200, bytes: await invoicePdf(invoice), type: 'application/pdf', headers }
  const bytes = Buffer.from(invoiceCsv(invoice))
  return { status: 200, bytes, type: 'text/csv; charset=utf-8; header=present', headers }
}

/** Another tenant's invoice is answered like one of a tenant that does not exist. */
async function requireTenant(tx: Tx, principal: Principal, tenant: string): Promise<void> {
  const known = tenant === principal.org || (await row(tx, 'select 1 from platform.orgs where org = ?', [tenant]))
  if (!known) throw httpError('not_found', 'no tenant with this name')
}
