import { scopeOf } from '../../platform/auth/principal.ts'
import { row } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import type { Answer, Call, Route } from '../../platform/http/route.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import type { MeteringDeps } from './deps.ts'
import { collectionEnds } from './issue.ts'
import { undecidedIn } from './quarantine/usage-under.ts'

type Counts = { unbilled: number; late: number; unbalanced: number; quarantined: number; issued: number }

/** GET /billing/close/{period}: what still stands between a month and its books; each is zero or says what to do. */
export function closeRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const period = call.params.period ?? ''
    if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(period))
      throw httpError('parameter_invalid', 'a period is a month such as 2026-11')
    const counts = await deps.db.transaction(
      (tx) =>
        row<Counts>(
          tx,
          `select
             (select count(*)::int from metering.invoices where period = ? and status = 'gathering') as unbilled,
             (select count(*)::int from metering.late_periods where period = ?) as late,
             (select count(*)::int from metering.invoices where period = ? and status = 'issued') as issued,
             (select count(*)::int from (
                select 1 from metering.ledger l join metering.invoices i on i.tenant = l.tenant and i.id = l.invoice_id
                where i.period = ? group by l.tenant, l.posting_id having sum(l.amount) <> 0) u) as unbalanced,
             (${undecidedIn}) as quarantined`,
          [period, period, period, period, period],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { unbilled = 0, late = 0, unbalanced = 0, quarantined = 0, issued = 0 } = counts ?? {}
    const collecting = collectionEnds(period, deps.collectionHours) > deps.now()
    const checks = [
      check('unbilled', unbilled, collecting ? 'wait for the end of collection' : 'POST /billing/invoices/issue', {
        invoices: `/billing/invoices`,
      }),
      check('late', late, 'the next invoice of these tenants bills the difference', { invoices: '/billing/invoices' }),
      check('unbalanced', unbalanced, 'stop: a posting that does not balance was not made by this system', {
        ledger: '/billing/ledger',
      }),
      check('quarantined', quarantined, 'a reviewer releases the usage of these package versions or writes it off', {
        quarantines: '/billing/quarantines?state=quarantined',
      }),
    ]
    const closed = issued > 0 && !collecting && checks.every(({ count }) => count === 0)
    const { start, end } = periodBounds(period)
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
