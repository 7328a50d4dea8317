import { Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { authError } from '../../platform/auth/errors.ts'
import { hasRole, type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { execute, row, rows, sqlState, type Tx } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'
import { closed, OrgId, Uuid } from '../../schemas/envelope.ts'
import { grantPlanCredits } from './credits/grant-credit.ts'
import type { MeteringDeps } from './deps.ts'
import { billingError } from './errors.ts'
import { currencyOf } from './load-subscriptions.ts'
import { markSubscribed } from './open-invoices.ts'

const SubscriptionBody = closed({
  package: Type.String({ minLength: 1, maxLength: 128 }),
  plan_id: Uuid,
  tenant: Type.Optional(OrgId),
  starts_at: Type.Optional(Type.String()),
})
type SubscriptionRow = {
  id: string
  tenant: string
  partner: string
  package: string
  plan_id: string
  currency: string
  starts_at: Date
  ends_at: Date | null
}

/** Subscriptions: a tenant takes a package under one of its partner's plans. Only the tenant, or finance, may. */
export function subscriptionRoutes(deps: MeteringDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<SubscriptionRow>(
          tx,
          `select id, tenant, partner, package, plan_id, currency, starts_at, ends_at from metering.subscriptions
           ${after ? 'where id < ?::uuid' : ''} order by id desc limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { subscriptions: items, next } }
  }

  async function create(call: Call): Promise<Answer> {
    const body = checked(SubscriptionBody, jsonBody(call))
    const tenant = tenantOf(call.principal, body.tenant)
    const starts = startOf(call.principal, body.starts_at, deps.now())
    const plan = await offeredPlan(body.package, body.plan_id)
    const made: SubscriptionRow = {
      id: uuidv7(),
      tenant,
      partner: plan.partner,
      package: body.package,
      plan_id: body.plan_id,
      currency: plan.currency,
      starts_at: starts,
      ends_at: null,
    }
    try {
      // One at a time per tenant: two at once could give it two currencies.
      await deps.allTenants.transaction((tx) => insert(tx, made, deps.now()), { locks: [`subscriptions/${tenant}`] })
      deps.wake()
    } catch (error) {
      if (sqlState(error) === '23505')
        throw billingError('already_subscribed', `${tenant} is subscribed to ${body.package} already`)
      if (sqlState(error) === '23503') throw httpError('not_found', 'no tenant with this name')
      throw error
    }
    return { status: 201, body: made }
  }

  /** Asked with metering's own role: a tenant cannot see a plan before it has subscribed to it. */
  async function offeredPlan(name: string, planId: string): Promise<{ partner: string; currency: string }> {
    return deps.allTenants.transaction(async (tx) => {
      const owner = await row<{ partner: string }>(tx, 'select partner from metering.packages where package = ?', [
        name,
      ])
      if (!owner) throw billingError('package_unknown', `no published package ${name}`)
      const plan = await row<{ partner: string; currency: string }>(
        tx,
        'select partner, currency from metering.plans where id = ? and partner = ? and first_version is null',
        [planId, owner.partner],
      )
      if (!plan) throw billingError('plan_unknown', `the owner of ${name} has no plan with this id`)
      return plan
    })
  }

  return [
    { method: 'GET', path: '/billing/subscriptions', summary: 'Subscriptions', access: everyone, handle: list },
    {
      method: 'POST',
      path: '/billing/subscriptions',
      summary: 'Subscribe to a package',
      access: { roles: ['tenant', 'finance'] },
      handle: create,
    },
  ]
}

async function insert(tx: Tx, made: SubscriptionRow, now: Date): Promise<void> {
  const first = await row(tx, 'select 1 from metering.subscriptions where tenant = ? limit 1', [made.tenant])
  const currency = await currencyOf(tx, made.tenant)
  if (first && currency !== made.currency)
    throw billingError('currency_mismatch', `${made.tenant} is billed in ${currency}, the plan is in ${made.currency}`)
  await execute(
    tx,
    `insert into metering.subscriptions (tenant, id, partner, package, plan_id, currency, starts_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
    [made.tenant, made.id, made.partner, made.package, made.plan_id, made.currency, made.starts_at],
  )
  await markSubscribed(tx, made, now)
  await grantPlanCredits(tx, made, now)
}

function tenantOf(principal: Principal, named: string | undefined): string {
  if (hasRole(principal, 'finance')) {
    if (named === undefined)
      throw httpError('body_malformed', '`tenant` is needed when finance subscribes for a tenant')
    return named
  }
  if (named !== undefined && named !== principal.org)
    throw authError('forbidden', 'a tenant subscribes for itself only')
  return principal.org
}

/** Only finance may let a subscription begin in the past: it prices usage that was already reported. */
function startOf(principal: Principal, text: string | undefined, now: Date): Date {
  if (text === undefined) return now
  const time = parseUtcTime(text)
  if (!time) throw httpError('parameter_invalid', '`starts_at` is not an RFC 3339 time')
  if (time < now && !hasRole(principal, 'finance'))
    throw authError('forbidden', 'only finance may start a subscription in the past')
  return time
}
