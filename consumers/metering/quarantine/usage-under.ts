import { type Db, rows, type Tx } from '../../../platform/db.ts'

/** Usage under a quarantine `q`, by the months (`u`) that have any and its hours (`r`). */
const USED = `join metering.used_versions u on u.package = q.package and u.version = q.version
     join metering.rollups r on r.tenant = u.tenant and r.package = q.package and r.version = q.version
       and r.hour >= (u.period || '-01')::timestamptz and r.hour < (u.period || '-01')::timestamptz + interval '1 month'
       and (q.since is null or r.hour >= date_trunc('hour', q.since))
       and (q.until is null or r.hour < date_trunc('hour', q.until))`

/** How many quarantines wait for a decision on usage of a month (one binding). */
export const undecidedIn = `select count(distinct q.id)::int from metering.quarantines q ${USED}
  where q.state = 'quarantined' and u.period = ?`

/** How many records are not billed, by the state of their quarantine. */
export const countQuarantined = (db: Db): Promise<{ state: string; records: number }[]> =>
  db.query(
    `select q.state, sum(r.records)::int8::float8 as records from metering.quarantines q ${USED}
     where q.state <> 'released' group by q.state`,
  )

export type QuarantineUsage = { id: string; period: string; meter: string; quantity: string; records: number }

/** Usage that falls under each of these quarantines by month and meter: of one tenant, or (null) of all together. */
export async function usageUnder(tx: Tx, ids: readonly string[], tenant: string | null): Promise<QuarantineUsage[]> {
  if (ids.length === 0) return []
  return rows<QuarantineUsage>(
    tx,
    `select q.id, u.period, r.meter, trim_scale(sum(r.quantity))::text as quantity,
       sum(r.records)::int8::float8 as records
     from metering.quarantines q ${USED}
     where q.id = any(?::uuid[]) and (?::text is null or u.tenant = ?)
     group by q.id, u.period, r.meter order by q.id, u.period, r.meter`,
    [ids, tenant, tenant],
  )
}
