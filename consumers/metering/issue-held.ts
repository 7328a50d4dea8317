import { createHash } from 'node:crypto'
import { publish } from '../../platform/bus/outbox.ts'
import { execute, row, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { invoiceIssued } from '../../schemas/events/invoice.issued.ts'
import { payInvoice } from './credits/pay-invoice.ts'
import { markWalletsUsed } from './credits/wallet.ts'
import { type MeteringDeps, SOURCE } from './deps.ts'
import { invoiceBody, type LiveInvoice, rateLive } from './invoice.ts'
import { entriesOf, postAll } from './ledger.ts'
import { noteIssued, notHeldBack } from './life/issue-life.ts'
import type { LoadedMonth } from './load-together.ts'
import { addUsageRoots } from './receipts/usage-roots.ts'
import { snapshotOf } from './snapshot.ts'

type Rated = { tenant: string; live: LiveInvoice }
type Frozen = Rated & { number: string; sha256: string; body: Buffer; amount_due: string }

/**
 * Issues invoices whose rows and wallets this transaction holds, and returns their numbers: none of those without lines,
 * and of those that have to wait. Every step is one statement for all of them, but what credits pay. `loaded` has what
 * was read of tenants together.
 */
export async function issueHeld(
  tx: Tx,
  { now, partnerSharePercent, paymentDays }: MeteringDeps,
  tenants: readonly string[],
  period: string,
  loaded: ReadonlyMap<string, LoadedMonth> = new Map(),
): Promise<string[]> {
  const at = now()
  const rated: Rated[] = []
  for (const tenant of tenants) {
    const live = await rateLive(tx, tenant, period, partnerSharePercent, at, loaded.get(tenant))
    if (live.rated.lines.length > 0) rated.push({ tenant, live })
  }
  const free = await notHeldBack(tx, rated, period, at)
  if (free.length === 0) return []
  await addUsageRoots(tx, free)
  const numbers = await takeNumbers(tx, free.length)
  fault('issue.after-number')
  const frozen = free.map((one, n) => freeze(one, period, numbers[n] as string, at))
  await storeFrozen(tx, frozen, period, at)
  fault('issue.after-freeze')
  await noteIssued(
    tx,
    frozen.map(({ tenant, live, amount_due }) => ({ tenant, id: live.id, total: live.rated.total, amount_due })),
    at,
    paymentDays,
  )
  const postings = frozen.map(({ tenant, live: { id, rated } }) => ({
    tenant,
    kind: 'invoice' as const,
    invoice_id: id,
    currency: rated.currency,
    entries: entriesOf(rated),
  }))
  await postAll(tx, postings, at)
  for (const { tenant, live } of frozen)
    await payInvoice(tx, { tenant, id: live.id, currency: live.rated.currency, payments: live.payments }, at)
  const paying = frozen.filter(({ live }) => live.payments.length > 0).map(({ tenant }) => tenant)
  await markWalletsUsed(tx, paying, period)
  fault('issue.after-posting')
  await clearLate(tx, frozen)
  const events = frozen.map(({ tenant, live, number, sha256 }) =>
    invoiceIssued.create(
      { ...snapshotOf(tenant, period, 'issued', live, at), number, sha256 },
      { source: SOURCE, now: at, subject: tenant },
    ),
  )
  await publish(tx, invoiceIssued, events)
  return numbers
}

function freeze({ tenant, live }: Rated, period: string, number: string, at: Date): Frozen {
  const invoice = invoiceBody(tenant, period, live, { status: 'issued', number }, at)
  const body = Buffer.from(JSON.stringify(invoice))
  const sha256 = createHash('sha256').update(body).digest('hex')
  return { tenant, live, number, sha256, body, amount_due: invoice.amount_due }
}

async function storeFrozen(tx: Tx, frozen: readonly Frozen[], period: string, at: Date): Promise<void> {
  await execute(
    tx,
    `update metering.invoices i set status = 'issued', currency = w.currency, number = w.number, body = w.body,
       sha256 = w.sha256, issued_at = ?, stale = false
     from unnest(?::text[], ?::text[], ?::text[], ?::bytea[], ?::text[]) as w (tenant, currency, number, body, sha256)
     where i.tenant = w.tenant and i.period = ?`,
    [
      at,
      frozen.map(({ tenant }) => tenant),
      frozen.map(({ live }) => live.rated.currency),
      frozen.map(({ number }) => number),
      frozen.map(({ body }) => body),
      frozen.map(({ sha256 }) => sha256),
      period,
    ],
  )
}

/** What they billed of earlier months is late no more. */
async function clearLate(tx: Tx, frozen: readonly Rated[]): Promise<void> {
  const billed = frozen.flatMap(({ tenant, live }) => live.billsLate.map((period) => ({ tenant, period })))
  if (billed.length === 0) return
  await execute(
    tx,
    `delete from metering.late_periods l using unnest(?::text[], ?::text[]) as w (tenant, period)
     where l.tenant = w.tenant and l.period = w.period`,
    [billed.map(({ tenant }) => tenant), billed.map(({ period }) => period)],
  )
}

/** The row lock makes numbers gap-free: a transaction that is rolled back gives its numbers back. */
async function takeNumbers(tx: Tx, count: number): Promise<string[]> {
  const taken = await row<{ n: string }>(
    tx,
    "update metering.invoice_sequence set last_number = last_number + ? where seller = 'atom' returning last_number as n",
    [count],
  )
  const last = Number(taken?.n)
  return Array.from({ length: count }, (_, n) => `ATOM-${String(last - count + 1 + n).padStart(6, '0')}`)
}
