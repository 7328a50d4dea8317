import type { LogPlace } from '../../../platform/bus/bus.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { rootOf } from '../../../platform/merkle.ts'
import { placeOf } from '../add-usage.ts'
import type { Report } from '../count-report.ts'
import type { Keyed } from '../keyed-record.ts'
import type { KeptDimensions } from '../rating/kept.ts'
import type { Dimensions } from '../rating/usage.ts'
import { contributionLeaf, recordLeaf } from './contribution.ts'

type Counted = { fresh: readonly Keyed[]; kept: KeptDimensions; now: Date; at: LogPlace | undefined }
type Group = { place: ReturnType<typeof placeOf>; quantity: Decimal; leaves: Buffer[] }

/**
 * Stores the receipt of a report, and what it added to each hour, in one statement. After the months of its usage were
 * marked: that holds their open invoices, so an invoice is either issued before this, and named here, or bills it.
 */
export async function storeReport(tx: Tx, report: Report, { fresh, kept, now, at }: Counted): Promise<void> {
  const { tenant, report_id, reporter, received_at, root, records, indexes } = report.data
  const groups = [...grouped(fresh, kept).values()]
  const added = groups.map(({ place, quantity, leaves }) => ({
    ...place,
    report_id,
    dimensions: JSON.parse(place.dimensions) as Dimensions,
    quantity: formatDecimal(quantity),
    records: leaves.length,
    root: rootOf(leaves).toString('hex'),
  }))
  await execute(
    tx,
    `with receipt as (
       insert into metering.reports
         (tenant, report_id, reporter, received_at, record_count, indexes, root, log_partition, log_position)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing)
     insert into metering.contributions (tenant, report_id, hour, meter, package, version, dimensions, dimensions_key,
       quantity, records, root, leaf, counted_at, after_invoice)
     select ?, ?, h, m, p, v, d::jsonb, substring(sha256(convert_to(d, 'UTF8')) for 16), q, n, decode(r, 'hex'),
       decode(l, 'hex'), ?, (
       select number from metering.invoices where tenant = ? and number is not null
       order by length(number) desc, number desc limit 1)
     from unnest(?::timestamptz[], ?::text[], ?::text[], ?::text[], ?::text[], ?::numeric[], ?::int[], ?::text[],
       ?::text[]) as u (h, m, p, v, d, q, n, r, l)
     on conflict do nothing`,
    [
      tenant,
      report_id,
      reporter,
      received_at,
      records.length,
      indexes ?? null,
      root,
      at?.partition ?? null,
      at?.position ?? null,
      tenant,
      report_id,
      now,
      tenant,
      added.map((one) => one.hour),
      added.map((one) => one.meter),
      added.map((one) => one.package),
      added.map((one) => one.version),
      groups.map(({ place }) => place.dimensions),
      added.map((one) => one.quantity),
      added.map((one) => one.records),
      added.map((one) => one.root),
      added.map((one) => contributionLeaf(one).toString('hex')),
    ],
  )
}

function grouped(fresh: readonly Keyed[], kept: KeptDimensions): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const one of [...fresh].sort((a, b) => a.index - b.index)) {
    const place = placeOf(one, kept)
    const key = Object.values(place).join('\n')
    const group = groups.get(key) ?? { place, quantity: 0n, leaves: [] }
    groups.set(key, group)
    group.quantity += decimal(one.record.quantity)
    group.leaves.push(recordLeaf(one.record))
  }
  return groups
}
