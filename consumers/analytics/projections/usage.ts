import type { Static } from '@sinclair/typebox'
import { ok } from '../../../platform/bus/outcome.ts'
import { handler } from '../../../platform/bus/runner.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import type { Shadow } from '../../../platform/replay/replay.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { type InvoiceSnapshot, invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'

type Snapshot = Static<typeof InvoiceSnapshot>

/** Usage per tenant, meter and month, already deduplicated: it comes from metering's snapshots, not from reports. */
export const usageProjection: Shadow = {
  name: 'usage',
  schema: 'read',
  tables: ['usage'],
  handlers: (schema) => [
    handler({
      name: 'analytics.usage.updated',
      on: invoiceUpdated,
      emits: [],
      writes: ['read.usage'],
      replay: 'apply',
      handle: ({ data }, tx) => replaceUsage(tx, schema, data),
    }),
    handler({
      name: 'analytics.usage.issued',
      on: invoiceIssued,
      emits: [],
      writes: ['read.usage'],
      replay: 'apply',
      handle: ({ data }, tx) => replaceUsage(tx, schema, data),
    }),
  ],
}

async function replaceUsage(tx: Tx, schema: string, invoice: Snapshot) {
  const { tenant, period, currency, as_of, usage } = invoice
  await execute(tx, `delete from ${schema}.usage where tenant = ? and period = ?`, [tenant, period])
  // One meter can be priced by several charges of a package; what was used is the same, the amounts add up.
  await execute(
    tx,
    `insert into ${schema}.usage (tenant, period, meter, package, quantity, amount, currency, as_of)
     select ?, ?, m, p, max(q), sum(a), ?, ? from unnest(?::text[], ?::text[], ?::numeric[], ?::numeric[])
       as u (m, p, q, a) group by m, p`,
    [
      tenant,
      period,
      currency,
      as_of,
      usage.map((one) => one.meter),
      usage.map((one) => one.package ?? ''),
      usage.map((one) => one.quantity),
      usage.map((one) => one.amount),
    ],
  )
  return ok()
}
