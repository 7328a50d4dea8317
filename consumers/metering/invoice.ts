import { row, rows, type Tx } from '../../platform/db.ts'
import { type CreditPayment, creditTexts, lessPaid, paymentsOf } from './credits/pay-invoice.ts'
import { openCredits } from './credits/wallet.ts'
import { loadShares } from './life/share-contracts.ts'
import { loadLatePeriods } from './load-late-periods.ts'
import { loadPeriod } from './load-period.ts'
import { currencyOf } from './load-subscriptions.ts'
import type { LoadedMonth } from './load-together.ts'
import { lineId } from './rating/line.ts'
import { type RatedInvoice, rateInvoice } from './rating/rate-invoice.ts'
import type { PeriodUsage, Subscription } from './rating/usage.ts'

export type InvoiceRow = {
  id: string
  period: string
  status: 'gathering' | 'issued'
  number: string | null
  body: Buffer | null
  sha256: string | null
  issued_at: Date | null
}
export type LiveInvoice = {
  id: string
  rated: RatedInvoice
  billsLate: readonly string[]
  /** What prices it, each with its plan versions up to the end of the month. */
  subscriptions: readonly Subscription[]
  /** What prepaid credits pay of it. */
  payments: readonly CreditPayment[]
  /** How many records of each meter it is rated from. */
  records: ReadonlyMap<string, number>
}

export const findInvoice = (tx: Tx, tenant: string, period: string): Promise<InvoiceRow | undefined> =>
  row<InvoiceRow>(
    tx,
    'select id, period, status, number, body, sha256, issued_at from metering.invoices where tenant = ? and period = ?',
    [tenant, period],
  )

/** A month's invoice has its id before it has a row, so that looking at it changes nothing. */
export const invoiceId = (tenant: string, period: string): string => lineId(tenant, period, 'invoice', '')

/**
 * Rates an open month from the rollups, with the differences of earlier, issued months that it has to bill. `loaded`
 * where that was read with others' before, in the same transaction.
 */
export async function rateLive(
  tx: Tx,
  tenant: string,
  period: string,
  share: string,
  at: Date,
  loaded?: LoadedMonth,
): Promise<LiveInvoice> {
  const month = loaded ?? (await loadAlone(tx, tenant, period, share, at))
  const { current, late, currency, shareOf, credits } = month
  const rated = rateInvoice(current, late, { tenant, currency, shareOf, final: at >= current.to })
  const { subscriptions } = current
  return {
    id: invoiceId(tenant, period),
    rated,
    billsLate: late.map(({ usage }) => usage.period),
    subscriptions,
    payments: paymentsOf(rated, credits, at),
    records: recordsOf([current, ...late.map(({ usage }) => usage)]),
  }
}

function recordsOf(usages: readonly PeriodUsage[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { meter, records } of usages.flatMap(({ totals }) => totals))
    sums.set(meter, (sums.get(meter) ?? 0) + records)
  return sums
}

/**
 * The same, as it would be if all open months were issued in their order: what earlier ones take of the credits is not
 * there for this one. Only to look at; issuing takes what there is.
 */
export async function rateInOrder(
  tx: Tx,
  tenant: string,
  period: string,
  share: string,
  at: Date,
): Promise<LiveInvoice> {
  const loaded = await loadAlone(tx, tenant, period, share, at)
  if (loaded.credits.length === 0) return rateLive(tx, tenant, period, share, at, loaded)
  const earlier = await rows<{ period: string }>(
    tx,
    "select period from metering.invoices where tenant = ? and status = 'gathering' and period < ? order by period",
    [tenant, period],
  )
  let credits = loaded.credits
  for (const one of earlier) {
    const month = { ...(await loadAlone(tx, tenant, one.period, share, at)), credits }
    credits = lessPaid(credits, (await rateLive(tx, tenant, one.period, share, at, month)).payments)
  }
  return rateLive(tx, tenant, period, share, at, { ...loaded, credits })
}

async function loadAlone(tx: Tx, tenant: string, period: string, share: string, at: Date): Promise<LoadedMonth> {
  const current = await loadPeriod(tx, tenant, period)
  const late = await loadLatePeriods(tx, tenant, period)
  const currency = await currencyOf(tx, tenant)
  const shareOf = await loadShares(tx, share)
  return { current, late, currency, shareOf, credits: await openCredits(tx, tenant, currency, at) }
}

/** The invoice in the shape of the contract. An issued one is answered from its stored bytes instead. */
export function invoiceBody(
  tenant: string,
  period: string,
  { id, rated, payments }: LiveInvoice,
  state: { status: 'gathering' | 'issued'; number?: string },
  asOf: Date,
) {
  return {
    id,
    ...(state.number === undefined ? {} : { number: state.number }),
    tenant,
    period,
    status: state.status,
    currency: rated.currency,
    lines: rated.lines,
    subtotal: rated.subtotal,
    taxes: rated.taxes,
    tax: rated.tax,
    total: rated.total,
    ...creditTexts(rated, payments),
    unpriced: rated.unpriced.map(({ meter, package: of, quantity }) => ({ meter, package: of || null, quantity })),
    quarantined: rated.quarantined.map(({ version, ...one }) => ({ ...one, version: version || null })),
    as_of: asOf.toISOString(),
  }
}
