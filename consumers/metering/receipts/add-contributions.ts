import { execute, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { rootOf } from '../../../platform/merkle.ts'
import { placeOf } from '../add-usage.ts'
import type { Keyed } from '../keyed-record.ts'
import { groupBy } from '../rating/group-by.ts'
import type { KeptDimensions } from '../rating/kept.ts'
import { recordLeaf } from './contribution.ts'

type Named = { tenant: string; report_id: string }

/**
 * Notes what a report added to each hour. After the months of its usage were marked: that holds their open invoices, so
 * that an invoice is either issued before this, and named here, or bills it.
 */
export async function addContributions(
  tx: Tx,
  { tenant, report_id }: Named,
  fresh: readonly Keyed[],
  kept: KeptDimensions,
  now: Date,
): Promise<void> {
  if (fresh.length === 0) return
  const placed = [...fresh].sort((a, b) => a.index - b.index).map((one) => ({ ...one, place: placeOf(one, kept) }))
  const groups = [...groupBy(placed, ({ place }) => JSON.stringify(place)).values()].map((own) => ({
    ...(own[0] as (typeof own)[number]).place,
    quantity: formatDecimal(own.reduce((sum, { record }) => sum + decimal(record.quantity), 0n)),
    records: own.length,
    root: rootOf(own.map(({ record }) => recordLeaf(record))).toString('hex'),
  }))
  await execute(
    tx,
    `insert into metering.contributions (tenant, report_id, hour, meter, package, dimensions, dimensions_key, quantity,
       records, root, counted_at, after_invoice)
     select ?, ?, h, m, p, d::jsonb, substring(sha256(convert_to(d, 'UTF8')) for 16), q, n, decode(r, 'hex'), ?, (
       select number from metering.invoices where tenant = ? and number is not null
       order by length(number) desc, number desc limit 1)
     from unnest(?::timestamptz[], ?::text[], ?::text[], ?::text[], ?::numeric[], ?::int[], ?::text[])
       as u (h, m, p, d, q, n, r)
     on conflict do nothing`,
    [
      tenant,
      report_id,
      now,
      tenant,
      groups.map((one) => one.hour),
      groups.map((one) => one.meter),
      groups.map((one) => one.package),
      groups.map((one) => one.dimensions),
      groups.map((one) => one.quantity),
      groups.map((one) => one.records),
      groups.map((one) => one.root),
    ],
  )
}
