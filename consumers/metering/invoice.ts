import { row, type Tx } from '../../platform/db.ts'
import { currencyOf, loadLatePeriods, loadPeriod } from './load-period.ts'
import type { LoadedMonth } from './load-together.ts'
import { lineId } from './rating/line.ts'
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
export type LiveInvoice = { id: string; rated: RatedInvoice; billsLate: readonly string[] }

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
  const { current, late, currency } = loaded ?? (await loadAlone(tx, tenant, period))
  const rated = rateInvoice(current, late, { tenant, currency, shareOf: () => share, final: at >= current.to })
  return { id: invoiceId(tenant, period), rated, billsLate: late.map(({ usage }) => usage.period) }
}

async function loadAlone(tx: Tx, tenant: string, period: string): Promise<LoadedMonth> {
  const current = await loadPeriod(tx, tenant, period)
  const late = await loadLatePeriods(tx, tenant, period)
  return { current, late, currency: await currencyOf(tx, tenant) }
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
    as_of: asOf.toISOString(),
  }
}

const zeroLike = (amount: string): string =>
  amount
    .replace('-', '')
    .replace(/\d/g, '0')
    .replace(/^0+(?=0)/, '')
