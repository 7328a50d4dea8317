import { Type } from '@sinclair/typebox'
import { type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { row, rows, type Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { periodOf } from '../../platform/utc-time.ts'
import { closed, Period } from '../../schemas/envelope.ts'
import type { MeteringDeps } from './deps.ts'
import { billingError } from './errors.ts'
import { findInvoice, invoiceBody, rateLive } from './invoice.ts'
import { collectionEnds, issuePeriod } from './issue.ts'

const IssueBody = closed({ period: Period, collection: Type.Optional(Type.Literal('skip')) })
type ListRow = {
  tenant: string
  id: string
  period: string
  status: string
  currency: string
  number: string | null
  sha256: string | null
  issued_at: Date | null
}

/** Invoices: live for the open month, from their stored bytes once issued. */
export function invoiceRoutes(deps: MeteringDeps): Route[] {
  async function show(call: Call): Promise<Answer> {
    const tenant = call.params.tenant ?? ''
    const at = deps.now()
    const period = call.query.get('period') ?? periodOf(at)
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(period))
      throw httpError('parameter_invalid', '`period` is a month such as 2026-11')
    return deps.db.transaction(
      async (tx) => {
        await requireTenant(tx, call.principal, tenant)
        const stored = await findInvoice(tx, tenant, period)
        if (stored?.body)
          return {
            status: 200,
            bytes: stored.body,
            type: 'application/json',
            headers: { etag: `"sha256:${stored.sha256}"` },
          }
        if (!stored && period !== periodOf(at)) throw httpError('not_found', `no invoice of ${tenant} for ${period}`)
        const live = await rateLive(tx, tenant, period, deps.partnerSharePercent, at)
        return { status: 200, body: invoiceBody(tenant, period, live, { status: 'gathering' }, at) }
      },
      { scope: scopeOf(call.principal) },
    )
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text', 'text'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<ListRow>(
          tx,
          `select tenant, id, period, status, currency, number, sha256, issued_at from metering.invoices
           ${after ? 'where (period, tenant) < (?, ?)' : ''} order by period desc, tenant desc limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ period, tenant }) => [period, tenant])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { invoices: items, next } }
  }

  async function issue(call: Call): Promise<Answer> {
    const { period, collection } = checked(IssueBody, jsonBody(call))
    const ends = collection === 'skip' ? collectionEnds(period, 0) : collectionEnds(period, deps.collectionHours)
    if (ends > deps.now()) throw billingError('period_open', `${period} collects usage until ${ends.toISOString()}`)
    return { status: 200, body: { period, issued: await issuePeriod(deps, period) } }
  }

  return [
    { method: 'GET', path: '/billing/invoices', summary: 'Invoices', access: everyone, handle: list },
    {
      method: 'GET',
      path: '/billing/invoice/:tenant',
      summary: "A tenant's invoice of a month",
      access: everyone,
      handle: show,
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

/** Another tenant's invoice is answered like one of a tenant that does not exist. */
async function requireTenant(tx: Tx, principal: Principal, tenant: string): Promise<void> {
  const known = tenant === principal.org || (await row(tx, 'select 1 from platform.orgs where org = ?', [tenant]))
  if (!known) throw httpError('not_found', 'no tenant with this name')
}
