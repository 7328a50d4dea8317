import { rows, type Tx } from '../../../platform/db.ts'
import type { Report } from '../count-report.ts'
import { packageName, packageVersion } from '../keyed-record.ts'
import type { Contribution } from './contribution.ts'

type Place = Pick<Contribution, 'hour' | 'meter' | 'package' | 'version' | 'dimensions'>
/** A record with its place in the report as it was sent. */
export type Sent = { index: number; record: Report['data']['records'][number] }

/** Contributions of some reports of a tenant. */
export const contributionsOf = (tx: Tx, tenant: string, reports: readonly string[]) =>
  rows<Contribution & { after_invoice: string | null }>(
    tx,
    `select report_id, to_char(hour at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as hour, meter, package,
       version, dimensions, trim_scale(quantity)::text as quantity, records, encode(root, 'hex') as root, after_invoice
     from metering.contributions where tenant = ? and report_id = any(?::uuid[])
     order by report_id, contributions.hour, meter, package collate "C", version collate "C", dimensions_key`,
    [tenant, reports],
  )

/** Places of records that did not count, because they had been reported before, by report. */
export async function repeatsOf(tx: Tx, tenant: string, reports: readonly string[]): Promise<Map<string, Set<number>>> {
  const found = await rows<{ report_id: string; places: number[] }>(
    tx,
    `select report_id, array_agg(record_index) as places from metering.exceptions
     where tenant = ? and report_id = any(?::uuid[]) and status in ('duplicate', 'conflict') group by report_id`,
    [tenant, reports],
  )
  return new Map(found.map(({ report_id, places }) => [report_id, new Set(places)]))
}

export const sentOf = ({ data: { records, indexes } }: Report): Sent[] =>
  records.map((record, place) => ({ record, index: indexes?.[place] ?? place }))

/**
 * The records of a report that counted, by where they did (`placeKey`). Which dimensions were kept when it was counted
 * is told by its own contributions: plans may name others by now.
 */
export function countedRecords(
  report: Report,
  contributions: readonly Contribution[],
  repeats: ReadonlySet<number>,
): Map<string, Sent[]> {
  const kept = new Map<string, Set<string>>()
  for (const { meter, dimensions } of contributions)
    kept.set(meter, new Set([...(kept.get(meter) ?? []), ...Object.keys(dimensions)]))
  const counted = new Map<string, Sent[]>()
  for (const sent of sentOf(report)) {
    if (repeats.has(sent.index)) continue
    const { record } = sent
    const names = kept.get(record.meter) ?? new Set()
    const key = placeKey({
      hour: `${record.time.slice(0, 13)}:00:00Z`,
      meter: record.meter,
      package: packageName(record),
      version: packageVersion(record),
      dimensions: Object.fromEntries(Object.entries(record.dimensions ?? {}).filter(([name]) => names.has(name))),
    })
    counted.set(key, [...(counted.get(key) ?? []), sent])
  }
  return counted
}

export const placeKey = ({ hour, meter, package: of, version, dimensions }: Place): string =>
  JSON.stringify([hour, meter, of, version, Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))])
