import { createHash } from 'node:crypto'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, row, rows, type Tx } from '../../platform/db.ts'
import { messageOf } from '../../platform/errors.ts'
import { fault } from '../../platform/fault.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { invoiceBody, rateLive } from './invoice.ts'
import { entriesOf, post } from './ledger.ts'
import { type LoadedMonth, loadTogether } from './load-together.ts'
import { oldestOpenMonth, openForFixedFees, periodsBetween } from './open-invoices.ts'
import { perTenant } from './per-tenant.ts'
import { snapshotOf } from './snapshot.ts'

/** When a month's collection window ends: from then on its invoices may be issued. */
export function collectionEnds(period: string, collectionHours: number): Date {
  return new Date(periodBounds(period).end.getTime() + collectionHours * 3_600_000)
}

/** Issues every open invoice of a month that has lines. Running it again, or twice at once, issues nothing twice. */
export async function issuePeriod(deps: MeteringDeps, period: string): Promise<string[]> {
  const { start, end } = periodBounds(period)
  await deps.allTenants.transaction((tx) => openForFixedFees(tx, period, start, end))
  const open = await deps.allTenants.query<{ tenant: string }>(
    "select tenant from metering.invoices where period = ? and status = 'gathering' order by tenant",
    [period],
  )
  const issued: string[] = []
  const alone: string[] = []
  let next = 0
  async function issueGroups(): Promise<void> {
    while (next < open.length) {
      const group = open.slice(next, next + TOGETHER).map(({ tenant }) => tenant)
      next += TOGETHER
      const { numbers, left } = await issueTogether(deps, group, period)
      fault('issue.after-commit')
      issued.push(...numbers)
      alone.push(...left)
    }
  }
  // Two at a time: while one writes, the other reads. More would only wait, because the number is locked until a commit.
  await Promise.all([issueGroups(), issueGroups()])
  for (const tenant of alone) {
    const number = await perTenant(deps, tenant, () => issueOne(deps, tenant, period))
    fault('issue.after-commit')
    if (number) issued.push(number)
  }
  if (issued.length > 0) deps.wake()
  return issued
}

/** Enough that a commit and the reading of usage are shared by many; few enough to try again one by one. */
const TOGETHER = 100

/**
 * Issues invoices in one transaction. `left` is who has to be issued alone: all of them when one cannot be issued, and
 * whose usage is just being counted. That may hold several invoices in an order of its own, so nobody waits for it here.
 */
async function issueTogether(deps: MeteringDeps, tenants: readonly string[], period: string) {
  try {
    const { numbers, held, left } = await deps.allTenants.transaction(
      async (tx) => {
        const numbers: string[] = []
        const held = await gathering(tx, tenants, period, 'for update skip locked')
        const loaded = await loadTogether(tx, held, period)
        for (const tenant of held) {
          const number = await issueHeld(tx, deps, tenant, period, loaded.get(tenant))
          if (number) numbers.push(number)
        }
        const others = tenants.filter((tenant) => !held.includes(tenant))
        const left = others.length === 0 ? [] : await gathering(tx, others, period)
        fault('issue.before-commit')
        return { numbers, held, left }
      },
      { locks: tenants.map((tenant) => keyLock(invoiceIssued.topic, tenant)) },
    )
    for (const tenant of held) deps.failing.delete(tenant)
    return { numbers, left }
  } catch (error) {
    deps.log.warn('invoices that were to be issued together are issued one by one', { error: messageOf(error) })
    return { numbers: [], left: [...tenants] }
  }
}

/** Issues what is due by now; what the clock calls once a minute. */
export async function issueDue(deps: MeteringDeps): Promise<string[]> {
  const now = deps.now()
  for (const period of periodsBetween(oldestOpenMonth(now), now)) {
    const { start, end } = periodBounds(period)
    await deps.allTenants.transaction((tx) => openForFixedFees(tx, period, start, end))
  }
  const open = await deps.allTenants.query<{ period: string }>(
    "select distinct period from metering.invoices where status = 'gathering' order by period",
  )
  const issued: string[] = []
  for (const { period } of open)
    if (collectionEnds(period, deps.collectionHours) <= deps.now()) issued.push(...(await issuePeriod(deps, period)))
  return issued
}

async function gathering(tx: Tx, tenants: readonly string[], period: string, lock: 'for update skip locked' | '' = '') {
  const found = await rows<{ tenant: string }>(
    tx,
    `select tenant from metering.invoices where tenant = any(?::text[]) and period = ? and status = 'gathering'
     order by tenant ${lock}`,
    [tenants, period],
  )
  return found.map(({ tenant }) => tenant)
}

async function issueOne(deps: MeteringDeps, tenant: string, period: string): Promise<string | null> {
  return deps.allTenants.transaction(
    async (tx) => {
      const held = await row(
        tx,
        "select 1 from metering.invoices where tenant = ? and period = ? and status = 'gathering' for update",
        [tenant, period],
      )
      const number = held ? await issueHeld(tx, deps, tenant, period) : null
      fault('issue.before-commit')
      return number
    },
    { locks: [keyLock(invoiceIssued.topic, tenant)] },
  )
}

/** Issues an invoice whose row this transaction holds; null when it has no lines. */
async function issueHeld(
  tx: Tx,
  { now, partnerSharePercent }: MeteringDeps,
  tenant: string,
  period: string,
  loaded?: LoadedMonth,
): Promise<string | null> {
  const at = now()
  const live = await rateLive(tx, tenant, period, partnerSharePercent, at, loaded)
  if (live.rated.lines.length === 0) return null
  const number = await takeNumber(tx)
  fault('issue.after-number')
  const body = Buffer.from(JSON.stringify(invoiceBody(tenant, period, live, { status: 'issued', number }, at)))
  const sha256 = createHash('sha256').update(body).digest('hex')
  await execute(
    tx,
    `update metering.invoices set status = 'issued', currency = ?, number = ?, body = ?, sha256 = ?, issued_at = ?,
       stale = false
     where tenant = ? and period = ?`,
    [live.rated.currency, number, body, sha256, at, tenant, period],
  )
  fault('issue.after-freeze')
  const { currency } = live.rated
  await post(tx, { tenant, kind: 'invoice', invoice_id: live.id, currency, entries: entriesOf(live.rated) }, at)
  fault('issue.after-posting')
  if (live.billsLate.length > 0)
    await execute(tx, 'delete from metering.late_periods where tenant = ? and period = any(?::text[])', [
      tenant,
      live.billsLate,
    ])
  const event = invoiceIssued.create(
    { ...snapshotOf(tenant, period, 'issued', live, at), number, sha256 },
    { source: SOURCE, now: at, subject: tenant },
  )
  await publish(tx, invoiceIssued, [event])
  return number
}

/** The row lock makes numbers gap-free: a rolled back invoice gives its number back. */
async function takeNumber(tx: Tx): Promise<string> {
  const taken = await row<{ n: string }>(
    tx,
    "update metering.invoice_sequence set last_number = last_number + 1 where seller = 'atom' returning last_number as n",
  )
  return `ATOM-${String(taken?.n).padStart(6, '0')}`
}
