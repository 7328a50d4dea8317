import type { Static } from '@sinclair/typebox'
import { ok } from '../../../platform/bus/outcome.ts'
import { handler } from '../../../platform/bus/runner.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import type { Shadow } from '../../../platform/replay/replay.ts'
import { creditNoteIssued } from '../../../schemas/events/credit_note.issued.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { type InvoiceSnapshot, invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'

type Snapshot = Static<typeof InvoiceSnapshot>

/**
 * What each partner earns of each tenant and month: the last snapshot of the invoice, open or issued, and beside it what
 * was given back, a row each credit note, so that hearing of one twice takes nothing off twice.
 */
export const revenueProjection: Shadow = {
  name: 'revenue',
  schema: 'read',
  tables: ['revenue', 'credits'],
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
    handler({
      name: 'analytics.revenue.credited',
      on: creditNoteIssued,
      emits: [],
      writes: ['read.credits'],
      replay: 'apply',
      handle: ({ data }, tx) => noteCredit(tx, schema, data),
    }),
  ],
}

async function noteCredit(tx: Tx, schema: string, note: Parameters<typeof creditNoteIssued.create>[0]) {
  const { tenant, credit_note_id, period, currency, issued_at: as_of, shares } = note
  await insertShares(tx, `${schema}.credits`, { tenant, credit_note_id, period, currency, as_of }, shares)
  return ok()
}

async function replaceShares(tx: Tx, schema: string, invoice: Snapshot) {
  const { tenant, period, currency, as_of, shares } = invoice
  await execute(tx, `delete from ${schema}.revenue where tenant = ? and period = ?`, [tenant, period])
  await insertShares(tx, `${schema}.revenue`, { tenant, period, currency, as_of }, shares)
  return ok()
}

/** A row for each partner's part of a document, with what `of` names; one that is there already stays as it is. */
async function insertShares(
  tx: Tx,
  table: string,
  of: Record<string, string>,
  shares: Snapshot['shares'],
): Promise<void> {
  const names = Object.keys(of)
  await execute(
    tx,
    `insert into ${table} (partner, ${names.join(', ')}, gross, partner_share, platform_fee, tax)
     select p, ${names.map(() => '?').join(', ')}, g, s, f, t
     from unnest(?::text[], ?::numeric[], ?::numeric[], ?::numeric[], ?::numeric[]) as r (p, g, s, f, t)
     on conflict do nothing`,
    [
      ...Object.values(of),
      shares.map((share) => share.partner),
      shares.map((share) => share.gross),
      shares.map((share) => share.partner_share),
      shares.map((share) => share.platform_fee),
      shares.map((share) => share.tax),
    ],
  )
}
