import type { Static } from '@sinclair/typebox'
import { ok } from '../../../platform/bus/outcome.ts'
import { handler } from '../../../platform/bus/runner.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import type { Shadow } from '../../../platform/replay/replay.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { type InvoiceSnapshot, invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'

type Snapshot = Static<typeof InvoiceSnapshot>

/** What each partner earns of each tenant and month: the last snapshot of the invoice, open or issued. */
export const revenueProjection: Shadow = {
  name: 'revenue',
  schema: 'read',
  tables: ['revenue'],
  handlers: (schema) => [
    handler({
      name: 'analytics.revenue.updated',
      on: invoiceUpdated,
      emits: [],
      writes: ['read.revenue'],
      replay: 'apply',
      handle: ({ data }, tx) => replaceShares(tx, schema, data),
    }),
    handler({
      name: 'analytics.revenue.issued',
      on: invoiceIssued,
      emits: [],
      writes: ['read.revenue'],
      replay: 'apply',
      handle: ({ data }, tx) => replaceShares(tx, schema, data),
    }),
  ],
}

async function replaceShares(tx: Tx, schema: string, invoice: Snapshot) {
  const { tenant, period, currency, as_of, shares } = invoice
  await execute(tx, `delete from ${schema}.revenue where tenant = ? and period = ?`, [tenant, period])
  await execute(
    tx,
    `insert into ${schema}.revenue (partner, tenant, period, currency, gross, partner_share, platform_fee, tax, as_of)
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
