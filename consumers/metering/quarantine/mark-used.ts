import { execute, rows, type Tx } from '../../../platform/db.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import { markPeriods } from '../count-report.ts'
import { oldestOpenMonth } from '../open-invoices.ts'

/** A level that was reached in a month is billed in the months after it too. */
const HELD_LEVEL = '$.charges[*] ? (@.aggregation == "weighted_sum")'

export type UsedVersion = { package: string; version: string; since: Date | null }
export type Marked = { tenant: string; period: string }

/**
 * Notes that every month with usage of a version is to be rated again: open ones are stale, issued ones late, so that
 * the next invoice carries the difference. Months of which single events are forgotten cannot be rated any more and
 * stay as they are. Returns the months of each tenant that it marked; with `only`, those of one.
 */
export async function markUsed(
  tx: Tx,
  { package: name, version, since }: UsedVersion,
  now: Date,
  only: string | null = null,
): Promise<Marked[]> {
  const oldest = oldestOpenMonth(now)
  const from = periodOf(since && since > oldest ? since : oldest)
  // In one order, so that two who mark many tenants wait for each other instead of in a circle.
  const found = await rows<Marked & { status: string }>(
    tx,
    `select i.tenant, i.period, i.status from metering.invoices i
     where i.period >= ? and (?::text is null or i.tenant = ?) and i.tenant in (select tenant from metering.used_versions where package = ? and version = ?)
       and exists (
         select 1 from metering.used_versions u
         where u.tenant = i.tenant and u.package = ? and u.version = ? and (u.period = i.period or u.period < i.period
           and exists (
             select 1 from metering.subscriptions s
             join metering.plans p on p.partner = s.partner and (p.id = s.plan_id or p.first_version = s.plan_id)
             where s.tenant = u.tenant and s.package = u.package and jsonb_path_exists(p.body, ?::jsonpath))))
     order by i.tenant, i.period for update of i`,
    [from, only, only, name, version, name, version, HELD_LEVEL],
  )
  await execute(
    tx,
    `update metering.invoices i set stale = true from unnest(?::text[], ?::text[]) as m (tenant, period)
     where i.tenant = m.tenant and i.period = m.period and i.status = 'gathering'`,
    [found.map(({ tenant }) => tenant), found.map(({ period }) => period)],
  )
  const issued = found.filter(({ status }) => status !== 'gathering')
  for (const tenant of new Set(issued.map((one) => one.tenant))) {
    const late = issued.filter((one) => one.tenant === tenant).map(({ period }) => period)
    await markPeriods(tx, tenant, late, now)
  }
  return found.map(({ tenant, period }) => ({ tenant, period }))
}
