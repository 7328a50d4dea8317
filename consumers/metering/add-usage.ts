import { execute, type Tx } from '../../platform/db.ts'
import { decimal, formatDecimal } from '../../platform/decimal.ts'
import { hash, type Keyed, packageName, packageVersion } from './keyed-record.ts'
import type { KeptDimensions } from './rating/kept.ts'
import { isAfter } from './rating/measure.ts'

const HOUR_MS = 3_600_000

type Rollup = {
  hour: string
  meter: string
  package: string
  version: string
  dimensions: string
  quantity: bigint
  records: number
  maximum: bigint | null
  latest: { at: string; id: string; quantity: string } | null
  change: bigint
  changeMs: bigint
}

/** Adds new records to their hours, with the dimensions that a price of the tenant names. */
export async function addToRollups(
  tx: Tx,
  schema: string,
  tenant: string,
  fresh: readonly Keyed[],
  kept: KeptDimensions,
): Promise<void> {
  const groups = new Map<string, Rollup>()
  for (const one of fresh) {
    const place = placeOf(one, kept)
    const group = JSON.stringify([place.hour, place.meter, place.package, place.version, place.dimensions])
    const rollup = groups.get(group) ?? emptyOf(place)
    groups.set(group, rollup)
    add(rollup, one)
  }
  // Sorted: two reports that touch the same hours then lock their rows in the same order.
  const sorted = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rollup]) => rollup)
  await execute(
    tx,
    `insert into ${schema}.rollups (tenant, hour, meter, package, version, dimensions, dimensions_key, quantity, records,
       maximum, latest, latest_at, latest_key, change, change_ms)
     select ?, h, m, p, v, d::jsonb, substring(sha256(convert_to(d, 'UTF8')) for 16), q, n, x, l, la, lk, c, cm
     from unnest(?::timestamptz[], ?::text[], ?::text[], ?::text[], ?::text[], ?::numeric[], ?::bigint[], ?::numeric[],
       ?::numeric[], ?::timestamptz[], ?::text[], ?::numeric[], ?::numeric[])
       as r (h, m, p, v, d, q, n, x, l, la, lk, c, cm)
     on conflict (tenant, hour, meter, package, version, dimensions_key) do update set
       quantity = trim_scale(rollups.quantity + excluded.quantity),
       records = rollups.records + excluded.records,
       maximum = greatest(rollups.maximum, excluded.maximum),
       (latest, latest_at, latest_key) = (
         select l, la, lk from (values (rollups.latest, rollups.latest_at, rollups.latest_key),
                                       (excluded.latest, excluded.latest_at, excluded.latest_key)) as v (l, la, lk)
         order by la desc nulls last, lk desc nulls last limit 1),
       change = trim_scale(rollups.change + excluded.change),
       change_ms = trim_scale(rollups.change_ms + excluded.change_ms)`,
    [
      tenant,
      sorted.map((one) => one.hour),
      sorted.map((one) => one.meter),
      sorted.map((one) => one.package),
      sorted.map((one) => one.version),
      sorted.map((one) => one.dimensions),
      sorted.map((one) => formatDecimal(one.quantity)),
      sorted.map((one) => one.records),
      sorted.map(({ maximum }) => (maximum === null ? null : formatDecimal(maximum))),
      sorted.map(({ latest }) => latest?.quantity ?? null),
      sorted.map(({ latest }) => latest?.at ?? null),
      sorted.map(({ latest }) => latest?.id ?? null),
      sorted.map((one) => formatDecimal(one.change)),
      sorted.map((one) => formatDecimal(one.changeMs)),
    ],
  )
}

/** Keeps what sums cannot tell, and only where a price needs it: hashes of counted values, quantities of single events. */
export async function keepSingly(
  tx: Tx,
  schema: string,
  tenant: string,
  fresh: readonly Keyed[],
  kept: KeptDimensions,
): Promise<void> {
  const used = fresh.filter(({ record }) => decimal(record.quantity) >= 0n)
  const values = used.flatMap((one) =>
    kept.distinctOf(one.record.meter).flatMap((of) => {
      const value = of === '' ? one.record.quantity : one.record.dimensions?.[of]
      return value === undefined
        ? []
        : [{ ...placeOf(one, kept), day: one.record.time.slice(0, 10), of, value: hash(value, 16) }]
    }),
  )
  if (values.length > 0)
    await execute(
      tx,
      `insert into ${schema}.distinct_values (tenant, day, meter, package, version, dimensions, dimensions_key,
         value_of, value_key)
       select ?, t, m, p, n, d::jsonb, substring(sha256(convert_to(d, 'UTF8')) for 16), o, decode(v, 'hex')
       from unnest(?::date[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
         as u (t, m, p, n, d, o, v)
       on conflict do nothing`,
      [
        tenant,
        values.map((one) => one.day),
        values.map((one) => one.meter),
        values.map((one) => one.package),
        values.map((one) => one.version),
        values.map((one) => one.dimensions),
        values.map((one) => one.of),
        values.map((one) => one.value),
      ],
    )
  const events = used
    .filter(({ record }) => kept.eventsOf(record.meter))
    .map((one) => ({ ...one, ...placeOf(one, kept) }))
  if (events.length > 0)
    await execute(
      tx,
      `insert into ${schema}.priced_events (tenant, at, record_key, meter, package, version, dimensions, quantity)
       select ?, t, decode(k, 'hex'), m, p, v, d::jsonb, q
       from unnest(?::timestamptz[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::numeric[])
         as u (t, k, m, p, v, d, q)
       on conflict do nothing`,
      [
        tenant,
        events.map(({ record }) => record.time),
        events.map(({ key }) => key),
        events.map((one) => one.meter),
        events.map((one) => one.package),
        events.map((one) => one.version),
        events.map((one) => one.dimensions),
        events.map(({ record }) => record.quantity),
      ],
    )
}

/** Where a record is counted: the hour, and what of it prices tell apart. */
export function placeOf({ record }: Keyed, kept: KeptDimensions) {
  const { meter } = record
  const dimensions = JSON.stringify(kept.of(meter, record.dimensions ?? {}))
  return {
    hour: `${record.time.slice(0, 13)}:00:00Z`,
    meter,
    package: packageName(record),
    version: packageVersion(record),
    dimensions,
  }
}

const emptyOf = (place: ReturnType<typeof placeOf>): Rollup => ({
  ...place,
  quantity: 0n,
  records: 0,
  maximum: null,
  latest: null,
  change: 0n,
  changeMs: 0n,
})

function add(rollup: Rollup, { record, key }: Keyed): void {
  const quantity = decimal(record.quantity)
  const at = Date.parse(record.time)
  rollup.change += quantity
  rollup.changeMs += quantity * BigInt(Date.parse(rollup.hour) + HOUR_MS - at)
  // What lowers a level was not used: sums, counts and the like see additions only.
  if (quantity < 0n) return
  rollup.quantity += quantity
  rollup.records += 1
  if (rollup.maximum === null || quantity > rollup.maximum) rollup.maximum = quantity
  const one = { at: new Date(at).toISOString(), id: key, quantity: record.quantity }
  if (rollup.latest === null || isAfter(one, rollup.latest)) rollup.latest = one
}
