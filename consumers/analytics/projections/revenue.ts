import type { Static } from '@sinclair/typebox'
import { ok } from '../../../platform/bus/outcome.ts'
import { type Handler, handler } from '../../../platform/bus/runner.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { type InvoiceSnapshot, invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'

type Snapshot = Static<typeof InvoiceSnapshot>

/** What each partner earns of each tenant and month: the last snapshot of the invoice, open or issued. */
export const revenueProjection: Handler[] = [
  handler({
    name: 'analytics.revenue.updated',
    on: invoiceUpdated,
    emits: [],
    handle: ({ data }, tx) => replaceShares(tx, data),
  }),
  handler({
    name: 'analytics.revenue.issued',
    on: invoiceIssued,
    emits: [],
    handle: ({ data }, tx) => replaceShares(tx, data),
  }),
]

async function replaceShares(tx: Tx, invoice: Snapshot) {
  const { tenant, period, currency, as_of, shares } = invoice
  await execute(tx, 'delete from read.revenue where tenant = ? and period = ?', [tenant, period])
  await execute(
    tx,
    `insert into read.revenue (partner, tenant, period, currency, gross, partner_share, platform_fee, tax, as_of)
     select p, ?, ?, ?, g, s, f, t, ? from unnest(?::text[], ?::numeric[], ?::numeric[], ?::numeric[], ?::numeric[])
       as r (p, g, s, f, t)`,
    [
      tenant,
      period,
      currency,
      as_of,
      shares.map((share) => share.partner),
      shares.map((share) => share.gross),
      shares.map((share) => share.partner_share),
      shares.map((share) => share.platform_fee),
      shares.map((share) => share.tax),
    ],
  )
  return ok()
}
