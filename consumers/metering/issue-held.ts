import { createHash } from 'node:crypto'
import { publish } from '../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { payInvoice } from './credits/pay-invoice.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { invoiceBody, rateLive } from './invoice.ts'
import { entriesOf, post } from './ledger.ts'
import { holdBack, noteIssued } from './life/issue-life.ts'
import type { LoadedMonth } from './load-together.ts'
import { withUsageRoots } from './receipts/usage-roots.ts'
import { snapshotOf } from './snapshot.ts'

/** Issues an invoice whose row and wallet this transaction holds; null when it has no lines or has to wait. */
export async function issueHeld(
  tx: Tx,
  { now, partnerSharePercent, paymentDays }: MeteringDeps,
  tenant: string,
  period: string,
  loaded?: LoadedMonth,
): Promise<string | null> {
  const at = now()
  const live = await rateLive(tx, tenant, period, partnerSharePercent, at, loaded)
  if (live.rated.lines.length === 0) return null
  if (await holdBack(tx, tenant, period, live, at)) return null
  live.rated.lines = await withUsageRoots(tx, tenant, live.rated, live.subscriptions)
  const number = await takeNumber(tx)
  fault('issue.after-number')
  const invoice = invoiceBody(tenant, period, live, { status: 'issued', number }, at)
  const body = Buffer.from(JSON.stringify(invoice))
  const sha256 = createHash('sha256').update(body).digest('hex')
  const { currency } = live.rated
  await execute(
    tx,
    `update metering.invoices set status = 'issued', currency = ?, number = ?, body = ?, sha256 = ?, issued_at = ?,
       stale = false
     where tenant = ? and period = ?`,
    [currency, number, body, sha256, at, tenant, period],
  )
  fault('issue.after-freeze')
  await noteIssued(tx, tenant, invoice, at, paymentDays)
  await post(tx, { tenant, kind: 'invoice', invoice_id: live.id, currency, entries: entriesOf(live.rated) }, at)
  await payInvoice(tx, { tenant, id: live.id, currency, payments: live.payments }, at)
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
