import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { rows, sqlState } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { parseUtcTime, periodBounds, periodOf } from '../../../platform/utc-time.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed, OrgId, UtcTime } from '../../../schemas/envelope.ts'
import { modeOf, type PaymentDeps } from './deps.ts'
import { financeRoute } from './finance-route.ts'
import { endStripeMeter, mapStripeMeter } from './map-stripe-meter.ts'
import { meterErrorRoutes } from './meter-error-routes.ts'
import { IDENTIFIER } from './meter-errors.ts'
import { retryWindow } from './meter-sends.ts'
import type { StripeMeter } from './meter-store.ts'
import { HOUR_MS, hourOf } from './whole-hours.ts'
import { windowRoutes } from './window-list.ts'

const Name = Type.String({ minLength: 1, maxLength: 128 })
const MeterBody = closed({
  /** Without it: every tenant that subscribes to the package. */
  tenant: Type.Optional(OrgId),
  /** Without it: whatever the tenant uses. */
  package: Type.Optional(Name),
  meter: Name,
  event_name: Type.String({ pattern: '^[\\x21-\\x7e]{1,100}$' }),
  since: Type.Optional(UtcTime),
})
const COLUMNS = 'id, tenant, package, meter, event_name, since, planned_until, ends_at'

/** Finance says which usage Stripe bills by meters of its own, and sees what was told to them. */
export function stripeMeterRoutes(deps: PaymentDeps): Route[] {
  const mode = modeOf(deps)

  async function write(call: Call): Promise<Answer> {
    const { since: asked, ...body } = checked(MeterBody, jsonBody(call))
    const usage = { ...body, tenant: body.tenant ?? null, package: body.package ?? null }
    if (usage.tenant === null && usage.package === null)
      throw httpError('body_malformed', 'a tenant, a package, or both', {
        errors: [{ pointer: '/tenant', code: 'required', detail: 'a tenant, a package, or both' }],
      })
    const since = asked === undefined ? hourOf(deps.now()) : sinceOf(asked, deps.now())
    try {
      const options = { since, given: asked !== undefined, now: deps.now() }
      return { status: 200, body: { mode, ...shown(await mapStripeMeter(deps.allTenants, usage, options)) } }
    } catch (error) {
      if (sqlState(error) === '23503') throw httpError('not_found', 'no tenant with this name')
      throw error
    }
  }

  async function end(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const ends = hourOf(deps.now(), Math.ceil)
    if (!isUuid(id) || !(await endStripeMeter(deps.allTenants, id, ends)))
      throw httpError('not_found', 'no meter with this id that goes on')
    return { status: 200, body: { mode, id, ends_at: ends } }
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<StripeMeter>(
          tx,
          `select ${COLUMNS} from metering.stripe_meters ${after ? 'where id > ?::uuid' : ''} order by id limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one.id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { mode, meters: items, next } }
  }

  return [
    financeRoute('GET', '/billing/stripe-meters', 'Usage that Stripe bills by meters', list),
    financeRoute('POST', '/billing/stripe-meters', 'Let a meter of Stripe bill usage', write),
    financeRoute('DELETE', '/billing/stripe-meters/:id', 'Let it bill the usage no longer', end),
    ...windowRoutes(deps, {
      path: '/billing/stripe-meters/windows',
      sentTo: 'meters of Stripe',
      table: 'metering.stripe_meter_windows',
      columns: `id, tenant, meter_id, event_name, hour, at, trim_scale(usage)::text as usage, value::text as value, state,
        ${IDENTIFIER} as identifier, attempts, next_attempt_at, last_error`,
      states: ['pending', 'sent', 'failed', 'too_old', 'dry_run', 'carried'],
      time: 'hour',
      mode,
      dry: 'without STRIPE_KEY nothing is sent',
      notAgain: 'it was sent, is being sent, or Stripe would refuse it as too old',
      retry: (id) => retryWindow(deps.allTenants, id, deps.now()),
    }),
    ...meterErrorRoutes(deps),
  ]
}

const shown = ({ id, tenant, package: name, meter, event_name, since, ends_at }: StripeMeter) => ({
  id,
  tenant,
  package: name,
  meter,
  event_name,
  since,
  ends_at,
})

/** Earlier months are on invoices already. */
function sinceOf(asked: string, now: Date): Date {
  const since = parseUtcTime(asked)
  const wrong = (detail: string) =>
    httpError('body_malformed', detail, { errors: [{ pointer: '/since', code: 'invalid', detail }] })
  if (since === null || since.getTime() % HOUR_MS !== 0) throw wrong('`since` is a whole hour')
  if (since < periodBounds(periodOf(now)).start) throw wrong('`since` is in this month or later')
  return since
}
