import { uuidv7 } from 'uuidv7'
import { type Db, execute, row, rows, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { billableHours } from '../quarantine/billable.ts'
import type { BilledElsewhere } from './billed-elsewhere.ts'
import { cutWindows, type Difference, type MeterWindow } from './meter-windows.ts'

export type StripeMeter = {
  id: string
  tenant: string | null
  package: string | null
  meter: string
  event_name: string
  since: Date
  planned_until: Date
  ends_at: Date | null
}

/** How long after its end usage may still come late: longer than a report may be old. */
const LATE_DAYS = 96

/** Meters whose closed hours were not all looked at. */
export const unplannedMeters = (db: Db, until: Date): Promise<StripeMeter[]> =>
  db.query(
    `select id, tenant, package, meter, event_name, since, planned_until, ends_at from metering.stripe_meters
     where planned_until < ? and (ends_at is null or planned_until < ends_at + interval '${LATE_DAYS} days')
     order by id`,
    [until],
  )

/** Whose usage a meter is of. */
export async function tenantsOf(db: Db, { tenant, package: name, since }: StripeMeter): Promise<string[]> {
  if (tenant !== null) return [tenant]
  const found = await db.query<{ tenant: string }>(
    `select distinct tenant from metering.subscriptions where package = ? and (ends_at is null or ends_at > ?)
     order by tenant`,
    [name, since],
  )
  return found.map((one) => one.tenant)
}

/** Stores what a tenant's closed hours have that is in no window yet. Repeating it adds nothing. */
export async function planTenant(
  db: Db,
  { id }: StripeMeter,
  tenant: string,
  { until, now, dry }: { until: Date; now: Date; dry: boolean },
): Promise<void> {
  await db.transaction(async (tx) => {
    const meter = await row<StripeMeter>(tx, 'select * from metering.stripe_meters where id = ? for update', [id])
    if (!meter || meter.planned_until >= until) return
    const [allotted] = await rows<{ carried: string }>(
      tx,
      `select coalesce(sum(usage - value), 0)::text as carried from metering.stripe_meter_windows
       where meter_id = ? and tenant = ?`,
      [id, tenant],
    )
    const windows = cutWindows({
      carried: decimal(allotted?.carried ?? '0'),
      differences: await loadDifferences(tx, meter, tenant, until),
      cutBefore: meter.planned_until,
      now,
      dry,
    })
    await insertWindows(tx, meter, tenant, windows, now)
  })
}

/** Notes that all tenants of a meter were looked at. */
export const finishPlan = (db: Db, { id }: StripeMeter, until: Date): Promise<number> =>
  db.transaction((tx) =>
    execute(tx, 'update metering.stripe_meters set planned_until = greatest(planned_until, ?) where id = ?', [
      until,
      id,
    ]),
  )

/** Usage that names no package is billed to the oldest subscription that knows the meter, and so it is here. */
const OF_PACKAGE = `(r.package = ? or (r.package = '' and ? = (
  select s.package from metering.subscriptions s
  join metering.plans p on p.partner = s.partner and p.id = s.plan_id
  where s.tenant = r.tenant and jsonb_path_exists(p.body, '$.charges[*] \\? (@.meter == $m)',
    jsonb_build_object('m', r.meter))
  order by s.starts_at, s.id limit 1)))`
/** Who used a package without subscribing to it is none of its tenants. */
const SUBSCRIBED = `exists (select 1 from metering.subscriptions u
  where u.tenant = r.tenant and u.package = ? and u.starts_at < r.hour + interval '1 hour'
    and (u.ends_at is null or u.ends_at > r.hour))`

async function loadDifferences(tx: Tx, meter: StripeMeter, tenant: string, until: Date): Promise<Difference[]> {
  const { package: name, ends_at: ends } = meter
  const ofPackage = name === null ? '' : `and ${OF_PACKAGE}`
  const subscribed = meter.tenant === null ? `and ${SUBSCRIBED}` : ''
  const found = await rows<Omit<Difference, 'usage'> & { usage: string }>(
    tx,
    `with used as (
       select r.hour, sum(r.quantity) as usage from metering.rollups r
       where r.tenant = ? and r.meter = ? and r.hour >= ? and r.hour < ? and ${billableHours('r')}
         ${ofPackage} ${subscribed}
       group by r.hour),
     known as (
       select w.hour, sum(w.usage) as usage, bool_or(w.state in ('pending', 'sent')) as told,
         (array_agg(w.state order by w.id desc) filter (where w.state in ('failed', 'too_old', 'dry_run')))[1] as untold
       from metering.stripe_meter_windows w where w.meter_id = ? and w.tenant = ? group by w.hour)
     select hour, trim_scale(coalesce(u.usage, 0) - coalesce(k.usage, 0))::text as usage,
       coalesce(k.told, false) as told, k.untold
     from used u full join known k using (hour)
     where coalesce(u.usage, 0) <> coalesce(k.usage, 0) order by hour`,
    [
      tenant,
      meter.meter,
      meter.since,
      ends && ends < until ? ends : until,
      ...(name === null ? [] : [name, name]),
      ...(meter.tenant === null ? [name] : []),
      meter.id,
      tenant,
    ],
  )
  return found.map((one) => ({ ...one, usage: decimal(one.usage) }))
}

async function insertWindows(
  tx: Tx,
  { id, event_name }: StripeMeter,
  tenant: string,
  windows: readonly MeterWindow[],
  now: Date,
): Promise<void> {
  if (windows.length === 0) return
  await execute(
    tx,
    `insert into metering.stripe_meter_windows
       (tenant, id, meter_id, event_name, hour, at, usage, value, state, last_error, next_attempt_at, created_at, updated_at)
     select ?, w, ?, ?, h, a, u, v, s, e, ?, ?, ?
     from unnest(?::uuid[], ?::timestamptz[], ?::timestamptz[], ?::numeric[], ?::bigint[], ?::text[], ?::text[])
       as x (w, h, a, u, v, s, e)`,
    [
      tenant,
      id,
      event_name,
      now,
      now,
      now,
      windows.map(() => uuidv7()),
      windows.map(({ hour }) => hour),
      windows.map(({ at }) => at),
      windows.map(({ usage }) => formatDecimal(usage)),
      windows.map(({ value }) => value.toString()),
      windows.map(({ state }) => state),
      windows.map(({ error }) => error),
    ],
  )
}

/** Usage of these tenants that meters of Stripe bill, or billed. */
export async function metersOf(
  db: Db,
  tenants: readonly string[],
): Promise<(tenant: string) => readonly BilledElsewhere[]> {
  const found = await db.query<BilledElsewhere & { tenant: string | null }>(
    `select tenant, package, meter, since, ends_at from metering.stripe_meters
     where tenant is null or tenant = any(?::text[])`,
    [tenants],
  )
  return (tenant) => found.filter((one) => one.tenant === null || one.tenant === tenant)
}
