import { row, type Tx } from '../../platform/db.ts'
import { loadShares } from './life/share-contracts.ts'
import { currencyOf, loadLatePeriods, loadPeriod } from './load-period.ts'
import { lineId } from './rating/line.ts'
import type { Plan } from './rating/plan.ts'
import { type RatedInvoice, rateInvoice } from './rating/rate-invoice.ts'

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
  /** The plans that price it, as they are at the end of the month. */
  plans: readonly Plan[]
}

export const findInvoice = (tx: Tx, tenant: string, period: string): Promise<InvoiceRow | undefined> =>
  row<InvoiceRow>(
    tx,
    'select id, period, status, number, body, sha256, issued_at from metering.invoices where tenant = ? and period = ?',
    [tenant, period],
  )

/** A month's invoice has its id before it has a row, so that looking at it changes nothing. */
export const invoiceId = (tenant: string, period: string): string => lineId(tenant, period, 'invoice', '')

/** Rates an open month from the rollups, with the differences of earlier, issued months that it has to bill. */
export async function rateLive(tx: Tx, tenant: string, period: string, share: string, at: Date): Promise<LiveInvoice> {
  const current = await loadPeriod(tx, tenant, period)
  const late = await loadLatePeriods(tx, tenant, period)
  const rated = rateInvoice(current, late, {
    tenant,
    currency: await currencyOf(tx, tenant),
    shareOf: await loadShares(tx, share),
    final: at >= current.to,
  })
  const plans = current.subscriptions.flatMap(({ versions }) => versions.slice(-1).map(({ plan }) => plan))
  return { id: invoiceId(tenant, period), rated, billsLate: late.map(({ usage }) => usage.period), plans }
}

/** The invoice in the shape of the contract. An issued one is answered from its stored bytes instead. */
export function invoiceBody(
  tenant: string,
  period: string,
  { id, rated }: LiveInvoice,
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
    credits_applied: zeroLike(rated.total),
    amount_due: rated.total,
    unpriced: rated.unpriced.map(({ meter, package: of, quantity }) => ({ meter, package: of || null, quantity })),
    quarantined: rated.quarantined.map(({ version, ...one }) => ({ ...one, version: version || null })),
    as_of: asOf.toISOString(),
  }
}

const zeroLike = (amount: string): string =>
  amount
    .replace('-', '')
    .replace(/\d/g, '0')
    .replace(/^0+(?=0)/, '')
