import { createHash } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { row, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { parseUtcTime, periodOf } from '../../../platform/utc-time.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed, OrgId, Period } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'
import { currencyOf } from '../load-subscriptions.ts'
import { Plan } from '../rating/plan.ts'
import { planFaults } from '../rating/plan-faults.ts'
import type { OtherPlan, Rerating } from './rerating.ts'
import { enqueue, findRerating, listReratings } from './rerating-rows.ts'
import { end } from './rerating-step.ts'
import { reratingView, resultOf, resultsPage } from './rerating-view.ts'

const Body = closed({
  period: Period,
  tenant: Type.Optional(OrgId),
  as_of: Type.Optional(Type.String({ maxLength: 40 })),
  plan_version: Type.Optional(Type.String({ maxLength: 36 })),
  plan: Type.Optional(Plan),
})
const MOST_OPEN = 20
const SHOWN = 20

/** Months rated again from the log beside their invoices: asked for, looked at, called off. */
export function reratingRoutes(deps: Pick<MeteringDeps, 'db' | 'allTenants' | 'now'>): Route[] {
  const scoped = <T>(call: Call, work: (tx: Tx) => Promise<T>) =>
    deps.db.transaction(work, { scope: scopeOf(call.principal) })

  async function ask(call: Call): Promise<Answer> {
    const now = deps.now()
    const body = checked(Body, jsonBody(call))
    const as_of = asOfOf(body, now)
    if (body.period > periodOf(now)) throw invalid('/period', 'in_future', 'has not begun yet')
    const rerating = await deps.allTenants.transaction(async (tx) => {
      if (body.tenant !== undefined && !(await row(tx, 'select 1 from platform.orgs where org = ?', [body.tenant])))
        throw httpError('not_found', 'no tenant with this name')
      const wanted = {
        id: uuidv7(),
        nightly: false,
        tenant: body.tenant ?? null,
        period: body.period,
        as_of,
        other_plan: await otherPlan(tx, body),
        requested_by: call.principal.subject,
      }
      const { tenant, period, other_plan } = wanted
      if (tenant !== null && other_plan && (await currencyOf(tx, tenant)) !== other_plan.plan.currency)
        throw invalid('/plan/currency', 'currency_mismatch', `is not what ${tenant} pays in`)
      const request_key = createHash('sha256')
        .update(JSON.stringify([tenant, period, as_of, other_plan]))
        .digest('hex')
      return enqueue(tx, { ...wanted, request_key }, now, MOST_OPEN)
    })
    if (!rerating) throw billingError('replay_queue_full', `${MOST_OPEN} replays wait or run already`)
    return { status: 202, headers: { location: `/billing/replay/${rerating.id}` }, body: reratingView(rerating) }
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await scoped(call, (tx) => listReratings(tx, after?.[0] ?? null, limit + 1))
    const { items, next } = page(found, limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { replays: items.map(reratingView), next },
    }
  }

  const show = (call: Call): Promise<Answer> =>
    scoped(call, async (tx) => {
      const rerating = await named(tx, call)
      const results = await resultsPage(tx, rerating.id, '', SHOWN, rerating.tenant === null)
      const body = {
        ...reratingView(rerating),
        result: await resultOf(tx, rerating),
        tenants: results.map((one) => one.body),
        tenants_url: `/billing/replay/${rerating.id}/tenants`,
      }
      return { status: 200, body }
    })

  const tenants = (call: Call): Promise<Answer> =>
    scoped(call, async (tx) => {
      const { limit, after } = pageRequest(call.query, ['text'])
      const { id } = await named(tx, call)
      const found = await resultsPage(tx, id, after?.[0] ?? '', limit + 1, false)
      const { items, next } = page(found, limit, ({ tenant }) => [tenant])
      return {
        status: 200,
        headers: nextLink(call.path, call.query, next),
        body: { tenants: items.map(({ body }) => body), next },
      }
    })

  async function cancel(call: Call): Promise<Answer> {
    const rerating = await deps.allTenants.transaction(async (tx) => {
      const found = await named(tx, call, 'for update')
      if (found.state !== 'queued' && found.state !== 'running') return found
      await end(tx, found, { state: 'cancelled', endedAt: deps.now() })
      return (await findRerating(tx, found.id)) as Rerating
    })
    return { status: 200, body: reratingView(rerating) }
  }

  const finance = { roles: ['finance'] } as const
  const readers = { roles: ['finance', 'admin'] } as const
  return [
    {
      method: 'POST',
      path: '/billing/replay',
      summary: 'Rate a month from the log beside its invoices; changes nothing',
      access: finance,
      handle: ask,
    },
    { method: 'GET', path: '/billing/replay', summary: 'Replays of months', access: readers, handle: list },
    {
      method: 'GET',
      path: '/billing/replay/:id',
      summary: 'How far a replay is, and what differs',
      access: readers,
      handle: show,
    },
    {
      method: 'GET',
      path: '/billing/replay/:id/tenants',
      summary: 'What a replay found, tenant by tenant',
      access: readers,
      handle: tenants,
    },
    {
      method: 'POST',
      path: '/billing/replay/:id/cancel',
      summary: 'Call a replay off',
      access: finance,
      handle: cancel,
    },
  ]
}

async function named(tx: Tx, call: Call, lock: '' | 'for update' = ''): Promise<Rerating> {
  const id = call.params.id ?? ''
  const found = isUuid(id) ? await findRerating(tx, id, lock) : undefined
  if (!found) throw httpError('not_found', 'no replay with this id; ended ones are kept for 35 days')
  return found
}

function asOfOf({ as_of }: Static<typeof Body>, now: Date): Date | null {
  if (as_of === undefined) return null
  const at = parseUtcTime(as_of)
  if (!at) throw invalid('/as_of', 'time_invalid', 'is not an RFC 3339 time')
  if (at > now) throw invalid('/as_of', 'in_future', 'is later than now')
  return at
}

/** The price to be used instead: a stored version for the subscriptions of its partner, or one that is sent. */
async function otherPlan(tx: Tx, { plan, plan_version }: Static<typeof Body>): Promise<OtherPlan | null> {
  if (plan !== undefined && plan_version !== undefined)
    throw invalid('/plan', 'one_of', 'a replay has either `plan` or `plan_version`')
  if (plan !== undefined) {
    const [first, ...more] = planFaults(plan).map((fault) => ({ ...fault, pointer: `/plan${fault.pointer}` }))
    if (first)
      throw billingError('replay_invalid', `${first.pointer} ${first.detail}`, {
        errors: [first, ...more].slice(0, 100),
      })
    return { partner: null, id: 'sent', plan }
  }
  if (plan_version === undefined) return null
  const found = isUuid(plan_version)
    ? await row<{ partner: string; body: Plan }>(tx, 'select partner, body from metering.plans where id = ?', [
        plan_version,
      ])
    : undefined
  if (!found) throw billingError('plan_unknown', 'no version of a plan with this id')
  return { partner: found.partner, id: plan_version, plan: found.body }
}

const invalid = (pointer: string, code: string, detail: string) =>
  billingError('replay_invalid', `${pointer} ${detail}`, { errors: [{ pointer, code, detail }] })
