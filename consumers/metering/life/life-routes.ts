import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { rows } from '../../../platform/db.ts'
import { type Decimal, PLACES, tryDecimal } from '../../../platform/decimal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { parseUtcTime } from '../../../platform/utc-time.ts'
import { closed } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'
import { issueInvoice } from '../issue.ts'
import { retrySend } from '../payments/sends.ts'
import { currencyDigits } from '../rating/currency.ts'
import { approve, recordPayment, voidInvoice, writeOff } from './acts.ts'
import { INVOICE_STATES, type InvoiceState, invoiceState } from './invoice-state.ts'
import { shownInvoice, TOLD_TENANT } from './shown-state.ts'
import { factsOf, findLife, LIFE_COLUMNS, LIFE_TABLES, type LifeRow } from './stored-life.ts'

const Reason = Type.String({ minLength: 1, maxLength: 500 })
export const Reference = Type.String({ pattern: '^[\\x21-\\x7e][\\x20-\\x7e]{0,127}$' })
const VoidBody = closed({ reason: Reason, rebill: Type.Optional(Type.Boolean()) })
const UncollectibleBody = closed({ reason: Reason })
const PaymentBody = closed({ amount: Type.String(), paid_at: Type.String(), reference: Reference })
const NoBody = closed({})

/** Rows are looked through so many at a time where a state is asked for. */
const BATCH = 500
/** What a state needs of its row at least, so that not every invoice there ever was is looked at for it. */
const OPEN = "i.status = 'gathering'"
const OWED = "i.status = 'issued' and l.voided_at is null and l.amount_due > l.credited + l.paid"
const NEEDS: Record<InvoiceState, string> = {
  gathering: OPEN,
  draft: `${OPEN} and l.parked_code is null and l.issue_error is null`,
  awaiting_approval: `${OPEN} and l.approval_asked_at is not null and l.approved_at is null`,
  parked: `${OPEN} and l.parked_code is not null`,
  issue_failed: `${OPEN} and l.issue_error is not null`,
  issued: OWED,
  send_failed: `${OWED} and s.state = 'failed'`,
  sent: `${OWED} and s.state = 'sent'`,
  payment_failed: `${OWED} and p.state is not null`,
  overdue: OWED,
  paid: "i.status = 'issued' and l.voided_at is null",
  void: 'l.voided_at is not null',
  uncollectible: 'l.uncollectible_at is not null',
}
/** An invoice's live state beside its frozen text, and what finance does about it. */
export function lifeRoutes(deps: MeteringDeps): Route[] {
  const shown = (call: Call, one: LifeRow) => shownInvoice(deps, call.principal, one)

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text', 'text'])
    const { state, period, tenant } = filtersOf(call.query)
    const wanted: ReturnType<typeof shown>[] = []
    await deps.db.transaction(
      async (tx) => {
        for (let from = after; wanted.length <= limit; ) {
          const where = [
            ...(state ? [needsOf(state)] : []),
            ...(period ? ['i.period = ?'] : []),
            ...(tenant ? ['i.tenant = ?'] : []),
            ...(from ? ['(i.period, i.tenant) < (?, ?)'] : []),
          ]
          const size = state ? BATCH : limit + 1
          const found = await rows<LifeRow>(
            tx,
            `select ${LIFE_COLUMNS} from ${LIFE_TABLES} ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
             order by i.period desc, i.tenant desc limit ?`,
            [...(period ? [period] : []), ...(tenant ? [tenant] : []), ...(from ?? []), size],
          )
          wanted.push(...found.map((one) => shown(call, one)).filter((one) => !state || one.state === state))
          const last = found.at(-1)
          if (found.length < size || !last) break
          from = [last.period, last.tenant]
        }
      },
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(wanted, limit, (one) => [one.period, one.tenant])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { invoices: items, next } }
  }

  const find = (call: Call): Promise<LifeRow> =>
    deps.db.transaction((tx) => findLife(tx, call.params.id ?? ''), { scope: scopeOf(call.principal) })

  const show = async (call: Call): Promise<Answer> => ({ status: 200, body: shown(call, await find(call)) })

  const act = async (call: Call) => {
    const { tenant, id } = await find(call)
    return { deps, tenant, id, by: call.principal.subject }
  }

  async function approved(call: Call): Promise<Answer> {
    optionalBody(call)
    const one = await act(call)
    await approve(one)
    const { tenant, period, status } = await find(call)
    if (status === 'gathering') await issueInvoice(deps, tenant, period)
    return show(call)
  }

  /** Repeats only the step that failed. */
  async function retry(call: Call): Promise<Answer> {
    optionalBody(call)
    const one = await find(call)
    const { state, actions } = invoiceState(factsOf(one, deps.collectionHours), deps.now())
    if (!actions.includes('retry'))
      throw billingError('invoice_action_refused', `the invoice is ${state}: there is nothing to try again`)
    if (state !== 'send_failed') await issueInvoice(deps, one.tenant, one.period)
    else await retrySend(deps.allTenants, { tenant: one.tenant, invoice_id: one.id }, deps.now())
    return show(call)
  }

  async function voided(call: Call): Promise<Answer> {
    const { reason, rebill = false } = checked(VoidBody, jsonBody(call))
    const note = await voidInvoice(await act(call), reason, rebill)
    deps.wake()
    return { status: 200, body: { invoice: shown(call, await find(call)), credit_note: note } }
  }

  async function uncollectible(call: Call): Promise<Answer> {
    const { reason } = checked(UncollectibleBody, jsonBody(call))
    await writeOff(await act(call), reason)
    return show(call)
  }

  async function pay(call: Call): Promise<Answer> {
    const { amount, paid_at, reference } = checked(PaymentBody, jsonBody(call))
    const paidAt = parseUtcTime(paid_at)
    if (!paidAt || paidAt > deps.now()) throw malformed('/paid_at', 'is not an RFC 3339 time that has passed')
    const one = await find(call)
    const paid = { amount: moneyOf(amount, one.currency, '/amount'), paidAt, reference }
    const { payment, isNew } = await recordPayment({ ...(await act(call)) }, paid)
    if (isNew) deps.wake()
    return { status: isNew ? 201 : 200, body: { payment, invoice: shown(call, await find(call)) } }
  }

  const access = { roles: ['finance'] } as const
  const path = '/billing/invoices'
  return [
    { method: 'GET', path, summary: 'Invoices with their state', access: everyone, handle: list },
    { method: 'GET', path: `${path}/:id`, summary: 'State of an invoice', access: everyone, handle: show },
    { method: 'POST', path: `${path}/:id/approve`, summary: 'Let an invoice be issued', access, handle: approved },
    { method: 'POST', path: `${path}/:id/retry`, summary: 'Repeat the step that failed', access, handle: retry },
    { method: 'POST', path: `${path}/:id/void`, summary: 'Take back a whole invoice', access, handle: voided },
    {
      method: 'POST',
      path: `${path}/:id/uncollectible`,
      summary: 'Write off what is owed',
      access,
      handle: uncollectible,
    },
    { method: 'POST', path: `${path}/:id/payments`, summary: 'Record a bank transfer', access, handle: pay },
  ]
}

/** A tenant that asks for `draft` or `issued` gets what is more than that inside as well. */
function needsOf(state: InvoiceState): string {
  const also = (Object.keys(TOLD_TENANT) as InvoiceState[]).filter((one) => TOLD_TENANT[one] === state)
  return `(${[state, ...also].map((one) => `(${NEEDS[one]})`).join(' or ')})`
}

function filtersOf(query: URLSearchParams) {
  const state = query.get('state')
  if (state !== null && !INVOICE_STATES.some((one) => one === state))
    throw httpError('parameter_invalid', `\`state\` is one of ${INVOICE_STATES.join(', ')}`)
  const period = query.get('period')
  if (period !== null && !/^\d{4}-(0[1-9]|1[0-2])$/.test(period))
    throw httpError('parameter_invalid', '`period` is a month such as 2026-11')
  const tenant = query.get('tenant')
  if (tenant !== null && !/^[a-z0-9-]{1,64}$/.test(tenant))
    throw httpError('parameter_invalid', '`tenant` is the name of an organisation')
  return { state: state as InvoiceState | null, period, tenant }
}

/** An amount above zero with no more decimals than its currency has. Throws 400 at its pointer. */
export function moneyOf(text: string, currency: string, pointer: string): Decimal {
  const amount = tryDecimal(text)
  const unit = 10n ** BigInt(PLACES - currencyDigits(currency))
  if (amount === null || amount <= 0n || amount % unit !== 0n)
    throw malformed(pointer, `is a decimal text above zero with at most ${currencyDigits(currency)} decimals`)
  return amount
}

export const malformed = (pointer: string, detail: string) =>
  httpError('body_malformed', `${pointer} ${detail}`, { errors: [{ pointer, code: 'invalid', detail }] })

/** Calls that need no body take none, or an empty one. */
function optionalBody(call: Call): void {
  if (call.bytes.length > 0) checked(NoBody, jsonBody(call))
}
