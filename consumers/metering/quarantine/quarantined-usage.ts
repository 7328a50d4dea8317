import { rows, type Tx } from '../../../platform/db.ts'
import type { QuarantinedUsage } from '../rating/usage.ts'
import { quarantinesAt } from './quarantines-at.ts'

/** Who of them has usage of a version that is not billed: for most there is nothing to leave out, or to look for. */
export async function quarantinedTenants(
  tx: Tx,
  tenants: readonly string[],
  asOf: Date | null = null,
): Promise<ReadonlySet<string>> {
  const found = await rows<{ tenant: string }>(
    tx,
    `select distinct u.tenant from ${quarantinesAt(asOf)} q
     join metering.used_versions u on u.package = q.package and u.version = q.version
     where u.tenant = any(?::text[]) and q.state <> 'released'`,
    [tenants],
  )
  return new Set(found.map(({ tenant }) => tenant))
}

export const hasQuarantined = async (tx: Tx, tenant: string, asOf: Date | null): Promise<boolean> =>
  (await quarantinedTenants(tx, [tenant], asOf)).has(tenant)

/** What was counted for a tenant from `start` to `end` and is not billed, by quarantine and meter. */
export const loadQuarantined = (
  tx: Tx,
  tenant: string,
  { start, end, asOf }: { start: Date; end: Date; asOf: Date | null },
): Promise<QuarantinedUsage[]> =>
  rows<QuarantinedUsage>(
    tx,
    `select r.meter, r.package, r.version, trim_scale(sum(r.quantity))::text as quantity, q.cause, q.state
     from metering.rollups r
     join lateral (
       select cause, state from ${quarantinesAt(asOf)} q
       where q.package = r.package and q.version = r.version and q.state <> 'released'
         and (q.since is null or r.hour >= date_trunc('hour', q.since))
         and (q.until is null or r.hour < date_trunc('hour', q.until))
       order by q.state, q.noted_at, q.id limit 1) q on true
     where r.tenant = ? and r.hour >= ? and r.hour < ?
     group by r.package, r.version, r.meter, q.cause, q.state order by r.package, r.version, r.meter, q.cause, q.state`,
    [tenant, start, end],
  )
