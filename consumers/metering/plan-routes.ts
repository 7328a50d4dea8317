import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../platform/auth/principal.ts'
import { row, rows, sqlState } from '../../platform/db.ts'
import type { Fault } from '../../platform/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'
import { isUuid } from '../../platform/uuid.ts'
import type { MeteringDeps } from './deps.ts'
import { billingError } from './errors.ts'
import { Plan } from './rating/plan.ts'
import { planFaults } from './rating/plan-faults.ts'
import { keepPlan, PLAN_COLUMNS, type PlanRow, planLock } from './tell-plans.ts'

const DAY_MS = 86_400_000

/** Price plans: written by their partner, never changed. A new price is a new version, from a day yet to come. */
export function planRoutes(deps: MeteringDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<PlanRow>(
          tx,
          `select ${PLAN_COLUMNS} from metering.plans ${after ? 'where id < ?::uuid' : ''} order by id desc limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { plans: items.map(planOf), next } }
  }

  async function create(call: Call): Promise<Answer> {
    const now = deps.now()
    const { plan, from } = readPlan(call, now)
    return { status: 201, body: planOf(await insert(call, plan, from, null, now)) }
  }

  /** Subscribers are priced by the version in force; what is earlier than its first day keeps its price. */
  async function createVersion(call: Call): Promise<Answer> {
    const now = deps.now()
    const { plan, from } = readPlan(call, now)
    const first = await firstVersion(call)
    if (plan.currency !== first.currency)
      throw billingError('currency_mismatch', `the plan is in ${first.currency}, and so are its versions`)
    if (
      plan.effective_from === undefined ||
      from <= now ||
      from.getTime() % DAY_MS !== 0 ||
      from <= first.effective_from
    )
      throw invalid([
        {
          pointer: '/effective_from',
          code: 'not_a_coming_day',
          detail:
            'a version takes effect at the start of a UTC day that is still to come, such as 2026-12-01T00:00:00Z',
        },
      ])
    try {
      return { status: 201, body: planOf(await insert(call, plan, from, first.id, now)) }
    } catch (error) {
      if (sqlState(error) === '23505')
        throw billingError('plan_version_exists', `a version takes effect at ${from.toISOString()} already`)
      throw error
    }
  }

  async function firstVersion(call: Call): Promise<PlanRow> {
    const id = call.params.id ?? ''
    const found = isUuid(id)
      ? await deps.db.transaction(
          (tx) =>
            row<PlanRow>(tx, `select ${PLAN_COLUMNS} from metering.plans where id = ? and partner = ?`, [
              id,
              call.principal.org,
            ]),
          { scope: scopeOf(call.principal) },
        )
      : undefined
    if (!found) throw billingError('plan_unknown', 'you have no plan with this id')
    if (found.first_version !== null)
      throw billingError('plan_unknown', `this is a version; name the first one, ${found.first_version}`)
    return found
  }

  async function insert(
    { principal, traceparent }: Call,
    plan: Plan,
    from: Date,
    first: string | null,
    now: Date,
  ): Promise<PlanRow> {
    const made: PlanRow = {
      partner: principal.org,
      id: uuidv7(),
      name: plan.name,
      currency: plan.currency,
      effective_from: from,
      body: plan,
      first_version: first,
      created_at: now,
    }
    await deps.db.transaction((tx) => keepPlan(tx, made, traceparent), {
      scope: scopeOf(principal),
      locks: [planLock(made.partner)],
    })
    deps.wake()
    return made
  }

  const access = { roles: ['partner' as const] }
  return [
    { method: 'GET', path: '/billing/plans', summary: 'Price plans', access: everyone, handle: list },
    { method: 'POST', path: '/billing/plans', summary: 'Make a price plan', access, handle: create },
    {
      method: 'POST',
      path: '/billing/plans/:id/versions',
      summary: 'Change the prices of a plan from a coming day on',
      access,
      handle: createVersion,
    },
  ]
}

function readPlan(call: Call, now: Date): { plan: Plan; from: Date } {
  const plan = checked(Plan, jsonBody(call))
  const from = plan.effective_from === undefined ? now : parseUtcTime(plan.effective_from)
  const errors = [...planFaults(plan), ...rehearsedOnly(plan)]
  if (!from) errors.push({ pointer: '/effective_from', code: 'time_invalid', detail: 'is not an RFC 3339 time' })
  if (errors.length > 0 || !from) throw invalid(errors)
  return { plan, from }
}

/** What `/billing/preview` can rate and invoices cannot yet: better refused than left out of a bill. */
function rehearsedOnly(plan: Plan): Fault[] {
  const detail = 'can be rehearsed with /billing/preview, but invoices do not know it'
  return plan.thresholds === undefined ? [] : [{ pointer: '/thresholds', code: 'rehearsal_only', detail }]
}

const invalid = (errors: Fault[]) =>
  billingError('plan_invalid', `${errors[0]?.pointer} ${errors[0]?.detail}`, { errors })

const planOf = (plan: PlanRow) => ({
  id: plan.id,
  partner: plan.partner,
  ...plan.body,
  effective_from: plan.effective_from.toISOString(),
  ...(plan.first_version === null ? {} : { first_version: plan.first_version }),
  created_at: plan.created_at.toISOString(),
})
