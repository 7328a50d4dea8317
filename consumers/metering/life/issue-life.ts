import { execute, row, rows, sqlState, type Tx } from '../../../platform/db.ts'
import { messageOf } from '../../../platform/errors.ts'
import type { MeteringDeps } from '../deps.ts'
import { invoiceBody, invoiceId, type LiveInvoice } from '../invoice.ts'
import { retryDelayMs } from '../payments/retry-delay.ts'
import { unsafe } from './safety-checks.ts'
import { noteLife } from './stored-life.ts'

type Held = Record<'approval_asked_at' | 'approved_at', Date | null> & { parked_code: string | null }
const DAY_MS = 86_400_000

/**
 * Tenants whose invoice of a month may be issued by now: not those that wait for a person, and not those that failed
 * before their next attempt is due, unless `impatient`.
 */
export async function openInvoices(deps: MeteringDeps, period: string, impatient: boolean): Promise<string[]> {
  const open = await deps.allTenants.query<{ tenant: string }>(
    `select i.tenant from metering.invoices i
     left join metering.invoice_life l on l.tenant = i.tenant and l.invoice_id = i.id
     where i.period = ? and i.status = 'gathering' and l.parked_code is null
       and (l.approval_asked_at is null or l.approved_at is not null)
       and (l.issue_next_at is null or l.issue_next_at <= ? or ?)
     order by i.tenant`,
    [period, deps.now(), impatient],
  )
  return open.map(({ tenant }) => tenant)
}

/**
 * Those of the invoices about to be issued that need not wait. Others are parked, because a check of them failed, or wait
 * until somebody approves them; that is noted in the transaction that would have issued them.
 */
export async function notHeldBack<T extends { tenant: string; live: LiveInvoice }>(
  tx: Tx,
  invoices: readonly T[],
  period: string,
  at: Date,
): Promise<T[]> {
  const found = await rows<Held & { id: string }>(
    tx,
    `select l.invoice_id as id, approval_asked_at, approved_at, parked_code from metering.invoice_life l
     join unnest(?::text[], ?::uuid[]) as w (tenant, id) on l.tenant = w.tenant and l.invoice_id = w.id`,
    [invoices.map(({ tenant }) => tenant), invoices.map(({ live }) => live.id)],
  )
  const lives = new Map(found.map((one) => [one.id, one]))
  const free: T[] = []
  for (const one of invoices)
    if (!(await holdBack(tx, one.tenant, period, one.live, lives.get(one.live.id), at))) free.push(one)
  return free
}

async function holdBack(
  tx: Tx,
  tenant: string,
  period: string,
  live: LiveInvoice,
  held: Held | undefined,
  at: Date,
): Promise<boolean> {
  const invoice = { tenant, id: live.id }
  const { shares } = live.rated
  const plans = live.subscriptions.flatMap(({ versions }) => versions.slice(-1).map(({ plan }) => plan))
  const planCurrencies = plans.map(({ currency }) => currency)
  const body = invoiceBody(tenant, period, live, { status: 'issued' }, at)
  const problem = unsafe({ ...body, shares, planCurrencies })
  if (problem) {
    await noteLife(tx, invoice, { parked_code: problem.code, parked_repair: problem.repair, ...NOT_FAILED })
    return true
  }
  if (held?.parked_code) await noteLife(tx, invoice, { parked_code: null, parked_repair: null })
  if (plans.every(({ approval }) => approval !== 'manual') || held?.approved_at) return false
  await noteLife(tx, invoice, { approval_asked_at: held?.approval_asked_at ?? at, ...NOT_FAILED })
  return true
}

/** What lives of issued invoices begin with: by when they are to be paid, and how much of it there is. One statement. */
export async function noteIssued(
  tx: Tx,
  invoices: readonly { tenant: string; id: string; total: string; amount_due: string }[],
  at: Date,
  paymentDays: number,
): Promise<void> {
  await execute(
    tx,
    `insert into metering.invoice_life as l (tenant, invoice_id, due_at, total, amount_due, issue_attempts)
     select w.tenant, w.id, ?, w.total, w.due, 0
     from unnest(?::text[], ?::uuid[], ?::numeric[], ?::numeric[]) as w (tenant, id, total, due)
     on conflict (tenant, invoice_id) do update set due_at = excluded.due_at, total = excluded.total,
       amount_due = excluded.amount_due, issue_attempts = 0, issue_error = null, issue_next_at = null`,
    [
      new Date(at.getTime() + paymentDays * DAY_MS),
      invoices.map(({ tenant }) => tenant),
      invoices.map(({ id }) => id),
      invoices.map(({ total }) => total),
      invoices.map(({ amount_due }) => amount_due),
    ],
  )
}

const NOT_FAILED = { issue_attempts: 0, issue_error: null, issue_next_at: null }

/** Notes that issuing threw, and when it is tried again; throws what it threw. */
export async function noteIssueFailed(
  deps: MeteringDeps,
  tenant: string,
  period: string,
  error: unknown,
): Promise<never> {
  const at = deps.now()
  const noted = deps.allTenants.transaction(async (tx) => {
    const open = await row<{ id: string; attempts: number | null }>(
      tx,
      `select i.id, l.issue_attempts as attempts from metering.invoices i
       left join metering.invoice_life l on l.tenant = i.tenant and l.invoice_id = i.id
       where i.tenant = ? and i.id = ? and i.status = 'gathering' for no key update of i`,
      [tenant, invoiceId(tenant, period)],
    )
    if (!open) return
    const attempts = (open.attempts ?? 0) + 1
    await noteLife(
      tx,
      { tenant, id: open.id },
      {
        issue_attempts: attempts,
        issue_error: reasonOf(error),
        issue_next_at: new Date(at.getTime() + retryDelayMs(attempts, 0)),
      },
    )
  })
  // Where even this cannot be noted, the reason is still the first failure.
  await noted.catch((other) => deps.log.error('a failed issue was not noted', { tenant, error: messageOf(other) }))
  throw error
}

/** Never an error's own text, which may quote what it was about: that is in the log. */
function reasonOf(error: unknown): string {
  const state = sqlState(error)
  return state === null ? `internal_${error instanceof Error ? error.name : 'error'}` : `database_${state}`
}
