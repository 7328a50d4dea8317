import { scopeOf } from '../../../platform/auth/principal.ts'
import { row, rows } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { modeOf, type PaymentDeps } from './deps.ts'
import { paymentError } from './errors.ts'
import { retryPaid } from './paid-sends.ts'
import { retrySend } from './sends.ts'
import { webhookRoute } from './webhook-route.ts'

type PaymentRow = {
  tenant: string
  invoice_id: string
  number: string
  period: string
  sink: string
  state: string
  step: string
  attempts: number
  next_attempt_at: Date
  last_error: string | null
  external_id: string | null
  rounding: string
  payment_state: string | null
  /** How far telling of its payments by hand has come, of several the one that is behind; null without any to tell. */
  paid_told: string | null
  paid_told_error: string | null
  created_at: Date
  would_send?: object | null
}
const COLUMNS = `s.tenant, s.invoice_id, i.number, i.period, s.sink, s.state, s.step, s.attempts, s.next_attempt_at,
  s.last_error, s.external_id, d.state as paid_told, d.last_error as paid_told_error, trim_scale(s.rounding)::text as rounding, p.state as payment_state, s.created_at`
const TABLES = `metering.payment_sends s
  join metering.invoices i on i.tenant = s.tenant and i.id = s.invoice_id
  left join metering.payment_states p on p.tenant = s.tenant and p.invoice_id = s.invoice_id and p.sink = s.sink
  left join lateral (
    select state, last_error from metering.paid_sends d
    where d.tenant = s.tenant and d.invoice_id = s.invoice_id and d.sink = s.sink
    order by state = 'failed' desc, state = 'pending' desc, payment_id is null desc limit 1) d on true`

const FILTERS = {
  tenant: { column: 's.tenant', allowed: null },
  period: { column: 'i.period', allowed: null },
  state: { column: 's.state', allowed: ['pending', 'sent', 'failed', 'dry_run', 'skipped'] },
  payment_state: { column: 'p.state', allowed: ['payment_failed', 'uncollectible', 'void', 'paid'] },
} as const

/** Finance's view of what was sent for payment and what became of it, and the webhook that tells. */
export function paymentRoutes(deps: PaymentDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const filters = filtersOf(call.query)
    const where = [
      ...filters.map(({ column }) => `${column} = ?`),
      ...(after ? ['(s.created_at, s.invoice_id) < (?::timestamptz, ?::uuid)'] : []),
    ]
    const found = await deps.db.transaction(
      (tx) =>
        rows<PaymentRow>(
          tx,
          `select ${COLUMNS} from ${TABLES} ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
           order by s.created_at desc, s.invoice_id desc limit ?`,
          [...filters.map(({ value }) => value), ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one.created_at.toISOString(), one.invoice_id])
    const body = { mode: modeOf(deps), payments: items, next }
    return { status: 200, headers: nextLink(call.path, call.query, next), body }
  }

  async function find(call: Call): Promise<PaymentRow> {
    const id = call.params.invoice_id ?? ''
    const found = isUuid(id)
      ? await deps.db.transaction(
          (tx) => row<PaymentRow>(tx, `select ${COLUMNS}, s.would_send from ${TABLES} where s.invoice_id = ?`, [id]),
          { scope: scopeOf(call.principal) },
        )
      : undefined
    if (!found) throw httpError('not_found', 'no issued invoice with this id is known to payments')
    return found
  }

  const show = async (call: Call): Promise<Answer> => ({
    status: 200,
    body: { mode: modeOf(deps), ...(await find(call)) },
  })

  async function retry(call: Call): Promise<Answer> {
    const { tenant, invoice_id } = await find(call)
    if (modeOf(deps) === 'dry_run')
      throw paymentError('payments_dry_run', 'without STRIPE_KEY nothing is sent, so nothing can be sent again')
    const key = { tenant, invoice_id }
    const sendsAgain =
      (await retrySend(deps.allTenants, key, deps.now())) || (await retryPaid(deps.allTenants, key, deps.now()))
    if (!sendsAgain)
      throw paymentError('payment_not_retriable', 'it was sent, or is being sent; only failed and dry ones are retried')
    deps.log.info('an invoice is to be sent again', { tenant, invoice_id, by: call.principal.subject })
    return { status: 202, body: { mode: modeOf(deps), ...(await find(call)) } }
  }

  const access = { roles: ['finance'] } as const
  return [
    { method: 'GET', path: '/billing/payments', summary: 'What was sent for payment', access, handle: list },
    { method: 'GET', path: '/billing/payments/:invoice_id', summary: 'Payment of an invoice', access, handle: show },
    {
      method: 'POST',
      path: '/billing/payments/:invoice_id/retry',
      summary: 'Send a failed invoice again',
      access,
      handle: retry,
    },
    webhookRoute(deps),
  ]
}

function filtersOf(query: URLSearchParams): { column: string; value: string }[] {
  return Object.entries(FILTERS).flatMap(([name, { column, allowed }]) => {
    const value = query.get(name)
    if (value === null) return []
    if (allowed !== null && !(allowed as readonly string[]).includes(value))
      throw httpError('parameter_invalid', `\`${name}\` is one of ${allowed.join(', ')}`)
    return [{ column, value }]
  })
}
