import { createHash } from 'node:crypto'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { periodBounds } from '../../platform/utc-time.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { invoiceBody, rateLive } from './invoice.ts'
import { entriesOf, post } from './ledger.ts'
import { holdBack, noteIssued, noteIssueFailed, openInvoices } from './life/issue-life.ts'
import { oldestOpenMonth, openForFixedFees, periodsBetween } from './open-invoices.ts'
import { perTenant } from './per-tenant.ts'
import { snapshotOf } from './snapshot.ts'

/** When a month's collection window ends: from then on its invoices may be issued. */
export function collectionEnds(period: string, collectionHours: number): Date {
  return new Date(periodBounds(period).end.getTime() + collectionHours * 3_600_000)
}

/**
 * Issues every open invoice of a month that has lines and that nothing holds back; `impatient`, also those whose next
 * attempt is not due yet. Running it again, or twice at once, issues nothing twice.
 */
export async function issuePeriod(deps: MeteringDeps, period: string, impatient = true): Promise<string[]> {
  const { start, end } = periodBounds(period)
  await deps.allTenants.transaction((tx) => openForFixedFees(tx, period, start, end))
  const issued: string[] = []
  for (const tenant of await openInvoices(deps, period, impatient)) {
    const number = await issueInvoice(deps, tenant, period)
    if (number) issued.push(number)
  }
  return issued
}

/** Issues one open invoice and returns its number; null where it has no lines, is held back, or failed. */
export async function issueInvoice(deps: MeteringDeps, tenant: string, period: string): Promise<string | null> {
  const number = await perTenant(deps, tenant, () =>
    issueOne(deps, tenant, period).catch((error) => noteIssueFailed(deps, tenant, period, error)),
  )
  fault('issue.after-commit')
  if (number) deps.wake()
  return number
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
    if (collectionEnds(period, deps.collectionHours) <= deps.now())
      issued.push(...(await issuePeriod(deps, period, false)))
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
      if (await holdBack(tx, tenant, period, live, at)) return null
      const number = await takeNumber(tx)
      fault('issue.after-number')
      const invoice = invoiceBody(tenant, period, live, { status: 'issued', number }, at)
      const body = Buffer.from(JSON.stringify(invoice))
      const sha256 = createHash('sha256').update(body).digest('hex')
      await execute(
        tx,
        `update metering.invoices set status = 'issued', currency = ?, number = ?, body = ?, sha256 = ?, issued_at = ?,
           stale = false
         where tenant = ? and period = ?`,
        [live.rated.currency, number, body, sha256, at, tenant, period],
      )
      fault('issue.after-freeze')
      await noteIssued(tx, tenant, invoice, at, deps.paymentDays)
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
