import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../platform/auth/principal.ts'
import { execute, rows } from '../../platform/db.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'
import type { MeteringDeps } from './deps.ts'
import { billingError } from './errors.ts'
import { currencyDigits } from './rating/currency.ts'
import { Plan, planFaults } from './rating/plan.ts'

type PlanRow = {
  partner: string
  id: string
  name: string
  currency: string
  effective_from: Date
  body: Plan
  created_at: Date
}

/** Price plans: written by their partner, never changed; a new price is a new plan. */
export function planRoutes(deps: MeteringDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<PlanRow>(
          tx,
          `select partner, id, name, currency, effective_from, body, created_at from metering.plans
           ${after ? 'where id < ?::uuid' : ''} order by id desc limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { plans: items.map(planOf), next } }
  }

  async function create(call: Call): Promise<Answer> {
    const plan = checked(Plan, jsonBody(call))
    const now = deps.now()
    const from = plan.effective_from === undefined ? now : parseUtcTime(plan.effective_from)
    const errors = planFaults(plan)
    if (!from) errors.push({ pointer: '/effective_from', code: 'time_invalid', detail: 'is not an RFC 3339 time' })
    if (!knownCurrency(plan.currency))
      errors.push({ pointer: '/currency', code: 'currency_unknown', detail: 'is not an ISO 4217 code' })
    const first = errors[0]
    if (first || !from) throw billingError('plan_invalid', `${first?.pointer} ${first?.detail}`, { errors })
    const row: PlanRow = {
      partner: call.principal.org,
      id: uuidv7(),
      name: plan.name,
      currency: plan.currency,
      effective_from: from,
      body: plan,
      created_at: now,
    }
    await deps.db.transaction(
      (tx) =>
        execute(
          tx,
          `insert into metering.plans (partner, id, name, currency, effective_from, body, created_at)
           values (?, ?, ?, ?, ?, ?, ?)`,
          [row.partner, row.id, row.name, row.currency, row.effective_from, JSON.stringify(plan), row.created_at],
        ),
      { scope: scopeOf(call.principal) },
    )
    return { status: 201, body: planOf(row) }
  }

  return [
    { method: 'GET', path: '/billing/plans', summary: 'Price plans', access: everyone, handle: list },
    {
      method: 'POST',
      path: '/billing/plans',
      summary: 'Make a price plan',
      access: { roles: ['partner'] },
      handle: create,
    },
  ]
}

const knownCurrency = (code: string): boolean =>
  Intl.supportedValuesOf('currency').includes(code) && currencyDigits(code) <= 3

const planOf = (plan: PlanRow) => ({
  id: plan.id,
  partner: plan.partner,
  ...plan.body,
  effective_from: plan.effective_from.toISOString(),
  created_at: plan.created_at.toISOString(),
})
