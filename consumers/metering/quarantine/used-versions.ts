import { execute, rows, type Tx } from '../../../platform/db.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import { type Keyed, packageName, packageVersion } from '../keyed-record.ts'

type Place = { package: string; version: string }
const placeOf = ({ record }: Keyed): Place => ({ package: packageName(record), version: packageVersion(record) })

/** Notes which versions of packages a tenant used in which months, so that these months are found again. */
export async function noteUsedVersions(tx: Tx, tenant: string, fresh: readonly Keyed[]): Promise<void> {
  const used = new Map<string, Place & { period: string }>()
  for (const one of fresh) {
    const place = { ...placeOf(one), period: periodOf(new Date(one.record.time)) }
    if (place.package !== '') used.set(JSON.stringify(place), place)
  }
  if (used.size === 0) return
  const sorted = [...used.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place)
  await execute(
    tx,
    `insert into metering.used_versions (tenant, package, version, period)
     select ?, n, v, p from unnest(?::text[], ?::text[], ?::text[]) as u (n, v, p) on conflict do nothing`,
    [tenant, sorted.map((one) => one.package), sorted.map((one) => one.version), sorted.map(({ period }) => period)],
  )
}

/** Those of new records that are not billed because of their version, each with the quarantine it fell under. */
export async function quarantinedAmong(tx: Tx, fresh: readonly Keyed[]): Promise<Map<number, string>> {
  const places = fresh.map(placeOf)
  const found = await rows<{ place: number; id: string }>(
    tx,
    `select distinct on (r.place) r.place::int8::float8 as place, q.id
     from unnest(?::int[], ?::text[], ?::text[], ?::timestamptz[]) as r (place, package, version, time)
     join metering.quarantines q on q.package = r.package and q.version = r.version and q.state <> 'released'
       and (q.since is null or r.time >= date_trunc('hour', q.since))
       and (q.until is null or r.time < date_trunc('hour', q.until))
     order by r.place, q.state, q.noted_at, q.id`,
    [
      fresh.map(({ index }) => index),
      places.map((one) => one.package),
      places.map((one) => one.version),
      fresh.map(({ record }) => record.time),
    ],
  )
  return new Map(found.map(({ place, id }) => [place, id]))
}
