import { createHash } from 'node:crypto'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { invoiceBody, rateLive } from './invoice.ts'
import { entriesOf, post } from './ledger.ts'
import { oldestOpenMonth, openForFixedFees, periodsBetween } from './open-invoices.ts'
import { perTenant } from './per-tenant.ts'
import { withUsageRoots } from './receipts/usage-roots.ts'
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
  for (const { tenant } of open) {
    const number = await perTenant(deps, tenant, () => issueOne(deps, tenant, period))
    fault('issue.after-commit')
    if (number) issued.push(number)
  }
  if (issued.length > 0) deps.wake()
  return issued
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

async function issueOne(deps: MeteringDeps, tenant: string, period: string): Promise<string | null> {
  const { allTenants, now, partnerSharePercent } = deps
  return allTenants.transaction(
    async (tx) => {
      const held = await row(
        tx,
        "select 1 from metering.invoices where tenant = ? and period = ? and status = 'gathering' for update",
        [tenant, period],
      )
      if (!held) return null
      const at = now()
      const live = await rateLive(tx, tenant, period, partnerSharePercent, at)
      if (live.rated.lines.length === 0) return null
      live.rated.lines = await withUsageRoots(tx, tenant, live.rated.lines, live.rated.packages)
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
      await execute(tx, 'delete from metering.late_periods where tenant = ? and period = any(?::text[])', [
        tenant,
        live.billsLate,
      ])
      const event = invoiceIssued.create(
        { ...snapshotOf(tenant, period, 'issued', live, at), number, sha256 },
        { source: SOURCE, now: at, subject: tenant },
      )
      await publish(tx, invoiceIssued, [event])
      fault('issue.before-commit')
      return number
    },
    { locks: [keyLock(invoiceIssued.topic, tenant)] },
  )
}

/** The row lock makes numbers gap-free: a rolled back invoice gives its number back. */
async function takeNumber(tx: Tx): Promise<string> {
  const taken = await row<{ n: string }>(
    tx,
    "update metering.invoice_sequence set last_number = last_number + 1 where seller = 'atom' returning last_number as n",
  )
  return `ATOM-${String(taken?.n).padStart(6, '0')}`
}
