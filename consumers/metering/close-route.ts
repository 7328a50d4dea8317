import { scopeOf } from '../../platform/auth/principal.ts'
import { row } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import type { MeteringDeps } from './deps.ts'
import { collectionEnds } from './issue.ts'
import { LIFE_TABLES } from './life/stored-life.ts'
import { undecidedIn } from './quarantine/usage-under.ts'

type Counts = Record<
  | 'unbilled'
  | 'late'
  | 'unbalanced'
  | 'quarantined'
  | 'issued'
  | 'awaiting_approval'
  | 'parked'
  | 'issue_failed'
  | 'unsent'
  | 'meter_errors',
  number
>

const counted = (name: string, where: string) =>
  `(select count(*)::int from ${LIFE_TABLES} where i.period = ? and ${where}) as ${name}`
/** Invoices of the month by what still has to be done about them; what is settled or void need not be sent. */
const LIFE_COUNTS = [
  counted('awaiting_approval', "i.status = 'gathering' and l.approval_asked_at is not null and l.approved_at is null"),
  counted('parked', "i.status = 'gathering' and l.parked_code is not null"),
  counted('issue_failed', "i.status = 'gathering' and l.issue_error is not null"),
  counted(
    'unsent',
    `i.status = 'issued' and l.voided_at is null and l.uncollectible_at is null
       and l.amount_due + l.returned > l.credited + l.paid and (s.state is null or s.state in ('pending', 'failed', 'dry_run'))`,
  ),
].join(', ')
const LIFE_COUNTED = 4

/** GET /billing/close/{period}: what still stands between a month and its books; each is zero or says what to do. */
export function closeRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const period = call.params.period ?? ''
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(period))
      throw httpError('parameter_invalid', 'a period is a month such as 2026-11')
    const { start, end } = periodBounds(period)
    const counts = await deps.db.transaction(
      (tx) =>
        row<Counts>(
          tx,
          `select
             (select count(*)::int from metering.invoices where period = ? and status = 'gathering') as unbilled,
             (select count(*)::int from metering.late_periods where period = ?) as late,
             (select count(*)::int from metering.invoices where period = ? and status = 'issued') as issued,
             ${LIFE_COUNTS},
             (select count(*)::int from (
                select 1 from metering.ledger l where (l.tenant, l.posting_id) in (
                  select o.tenant, o.posting_id from metering.ledger o
                  join metering.invoices i on i.tenant = o.tenant and i.id = o.invoice_id where i.period = ?)
                group by l.tenant, l.posting_id having sum(l.amount) <> 0) u) as unbalanced,
             (select count(*)::int from metering.stripe_meter_errors
              where settled_at is null and validated_to >= ? and validated_from < ?) as meter_errors,
             (${undecidedIn}) as quarantined`,
          [period, period, period, ...Array(LIFE_COUNTED).fill(period), period, start, end, period],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { unbilled = 0, late = 0, unbalanced = 0, quarantined = 0, issued = 0, unsent = 0 } = counts ?? {}
    const listed = (state: string) => ({ invoices: `/billing/invoices?state=${state}&period=${period}` })
    const waiting = (state: 'awaiting_approval' | 'parked' | 'issue_failed', action: string) =>
      check(state, counts?.[state] ?? 0, action, listed(state))
    const collecting = collectionEnds(period, deps.collectionHours) > deps.now()
    const checks = [
      check('unbilled', unbilled, collecting ? 'wait for the end of collection' : 'POST /billing/invoices/issue', {
        invoices: `/billing/invoices?state=draft&period=${period}`,
      }),
      waiting('awaiting_approval', 'POST /billing/invoices/{id}/approve'),
      waiting('parked', 'do what the repair says, then POST /billing/invoices/{id}/retry'),
      waiting('issue_failed', 'it is tried again by itself; POST /billing/invoices/{id}/retry does so now'),
      check('unsent', unsent, 'send them yourself, or see why not: GET /billing/payments', {
        ...listed('issued'),
        payments: `/billing/payments?period=${period}`,
      }),
      check(
        'meter_errors',
        counts?.meter_errors ?? 0,
        'see to what Stripe refused after it had taken it, then POST /billing/stripe-meters/errors/{id}/settle',
        { errors: '/billing/stripe-meters/errors?open=true' },
      ),
      check('late', late, 'the next invoice of these tenants bills the difference', { invoices: '/billing/invoices' }),
      check('unbalanced', unbalanced, 'stop: a posting that does not balance was not made by this system', {
        ledger: '/billing/ledger',
      }),
      check('quarantined', quarantined, 'a reviewer releases the usage of these package versions or writes it off', {
        quarantines: '/billing/quarantines?state=quarantined',
      }),
    ]
    // Books are closed by what was billed and balances; invoices may be sent by other means than ours.
    const besideBooks = ['unsent', 'meter_errors']
    const closed =
      issued > 0 && !collecting && checks.every(({ name, count }) => count === 0 || besideBooks.includes(name))
    const span = { from: start.toISOString(), to: end.toISOString() }
    const ends = collectionEnds(period, deps.collectionHours).toISOString()
    return { status: 200, body: { period, ...span, collection_ends: ends, issued, closed, checks } }
  }

  return {
    method: 'GET',
    path: '/billing/close/:period',
    summary: 'What still stands between a month and its books',
    access: { roles: ['finance', 'admin'] },
    handle,
  }
}

const check = (name: string, count: number, action: string, links: Record<string, string>) =>
  count === 0 ? { name, count } : { name, count, action, links }
