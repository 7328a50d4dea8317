/** Usage of a quarantine that was not released is not billed: rows of `table` outside every such one, by their time. */
const outside = (table: string, time: string, unit: 'hour' | 'day'): string => `not exists (
  select 1 from metering.quarantines q
  where q.package = ${table}.package and q.version = ${table}.version and q.state <> 'released'
    and (q.since is null or ${time} >= date_trunc('${unit}', q.since))
    and (q.until is null or ${time} < date_trunc('${unit}', q.until)))`

/** Rows of `metering.rollups`, named by `table`, that are billed. */
export const billableHours = (table: string): string => outside(table, `${table}.hour`, 'hour')
/** Events that are priced one by one: the hour they are in decides, as it does for the sums. */
export const billableEvents = (table: string): string => outside(table, `date_trunc('hour', ${table}.at)`, 'hour')
/** Values that `unique` counts are kept by the day: of the day on which a quarantine begins none is billed. */
export const billableDays = (table: string): string => outside(table, `${table}.day::timestamptz`, 'day')
