import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { row, rows, sqlState } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { parseUtcTime, periodBounds, periodOf } from '../../../platform/utc-time.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed, OrgId, UtcTime } from '../../../schemas/envelope.ts'
import { modeOf, type PaymentDeps } from './deps.ts'
import { paymentError } from './errors.ts'
import { financeRoute } from './finance-route.ts'
import { endStripeMeter, mapStripeMeter } from './map-stripe-meter.ts'
import { meterErrorRoutes } from './meter-error-routes.ts'
import { IDENTIFIER } from './meter-errors.ts'
import { retryWindow } from './meter-sends.ts'
import type { StripeMeter } from './meter-store.ts'
import { HOUR_MS } from './meter-windows.ts'

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
const WINDOW_STATES = ['pending', 'sent', 'failed', 'too_old', 'dry_run', 'carried']
type WindowRow = { id: string; state: string; hour: Date }

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
    const since = asked === undefined ? hourOf(deps.now(), Math.floor) : sinceOf(asked, deps.now())
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

  async function windows(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const [state, tenant] = [call.query.get('state'), call.query.get('tenant')]
    if (state !== null && !WINDOW_STATES.includes(state))
      throw httpError('parameter_invalid', `\`state\` is one of ${WINDOW_STATES.join(', ')}`)
    const found = await deps.db.transaction(
      (tx) =>
        rows<WindowRow>(
          tx,
          `select id, tenant, meter_id, event_name, hour, at, trim_scale(usage)::text as usage, value::text as value, state,
             ${IDENTIFIER} as identifier, attempts, next_attempt_at, last_error
           from metering.stripe_meter_windows
           where (?::text is null or state = ?) and (?::text is null or tenant = ?)
             ${after ? 'and (hour, id) < (?::timestamptz, ?::uuid)' : ''}
           order by hour desc, id desc limit ?`,
          [state, state, tenant, tenant, ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one.hour.toISOString(), one.id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { mode, windows: items, next } }
  }

  async function retry(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const found = isUuid(id)
      ? await deps.db.transaction(
          (tx) => row<WindowRow>(tx, 'select id from metering.stripe_meter_windows where id = ?', [id]),
          { scope: scopeOf(call.principal) },
        )
      : undefined
    if (!found) throw httpError('not_found', 'no window with this id')
    if (mode === 'dry_run')
      throw paymentError('payments_dry_run', 'without STRIPE_KEY nothing is sent, so nothing can be sent again')
    if (!(await retryWindow(deps.allTenants, id, deps.now())))
      throw paymentError('payment_not_retriable', 'it was sent, is being sent, or Stripe would refuse it as too old')
    deps.log.info('usage is to be told to Stripe again', { window: id, by: call.principal.subject })
    return { status: 202, body: { mode, id, state: 'pending' } }
  }

  return [
    financeRoute('GET', '/billing/stripe-meters', 'Usage that Stripe bills by meters', list),
    financeRoute('POST', '/billing/stripe-meters', 'Let a meter of Stripe bill usage', write),
    financeRoute('DELETE', '/billing/stripe-meters/:id', 'Let it bill the usage no longer', end),
    financeRoute('GET', '/billing/stripe-meters/windows', 'What was told to meters of Stripe', windows),
    financeRoute('POST', '/billing/stripe-meters/windows/:id/retry', 'Tell a failed window again', retry),
    ...meterErrorRoutes(deps),
  ]
}

const hourOf = (time: Date, round: (x: number) => number): Date => new Date(round(time.getTime() / HOUR_MS) * HOUR_MS)

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
