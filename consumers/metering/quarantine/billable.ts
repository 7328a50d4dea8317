import { quarantinesAt } from './quarantines-at.ts'

/** Usage of a quarantine that was not released is not billed: rows of `table` outside every such one, by their time. */
const outside = (table: string, time: string, unit: 'hour' | 'day', asOf: Date | null): string => `not exists (
  select 1 from ${quarantinesAt(asOf)} q
  where q.package = ${table}.package and q.version = ${table}.version and q.state <> 'released'
    and (q.since is null or ${time} >= date_trunc('${unit}', q.since))
    and (q.until is null or ${time} < date_trunc('${unit}', q.until)))`

/** Rows of `metering.rollups`, named by `table`, that are billed; or were, by what was decided until `asOf`. */
export const billableHours = (table: string, asOf: Date | null = null): string =>
  outside(table, `${table}.hour`, 'hour', asOf)
/** Events that are priced one by one: the hour they are in decides, as it does for the sums. */
export const billableEvents = (table: string, asOf: Date | null): string =>
  outside(table, `date_trunc('hour', ${table}.at)`, 'hour', asOf)
/** Values that `unique` counts are kept by the day: of the day on which a quarantine begins none is billed. */
export const billableDays = (table: string, asOf: Date | null): string =>
  outside(table, `${table}.day::timestamptz`, 'day', asOf)

/**
 * How the level that is billed steps down when a quarantine begins, and back to what is held when it ends: without it a
 * level of before would be billed for ever. Hours, as if something had changed at their start; bindings: tenant, meters.
 */
export const levelSteps = (
  asOf: Date | null,
): string => `select e.hour, r.meter, r.package, r.dimensions, sum(r.change) * e.sign as change
  from ${quarantinesAt(asOf)} q
  cross join lateral (values (date_trunc('hour', q.since), -1), (date_trunc('hour', q.until), 1)) as e (hour, sign)
  join metering.rollups r on r.package = q.package and r.version = q.version and r.hour < e.hour
  where q.state <> 'released' and r.tenant = ? and r.meter = any(?::text[])
  group by q.partner, q.id, e.hour, e.sign, r.meter, r.package, r.dimensions
  having sum(r.change) <> 0`
