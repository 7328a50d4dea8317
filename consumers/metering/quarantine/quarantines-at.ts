/**
 * `metering.quarantines`, or the rows as they stood at a time: of what was noted by then, undecided what was decided
 * later, and open what ended later. For statements that place it as a table; a time's own text has nothing to quote.
 */
export function quarantinesAt(asOf: Date | null): string {
  if (asOf === null) return 'metering.quarantines'
  const at = `'${asOf.toISOString()}'::timestamptz`
  return `(select partner, id, package, version, cause, since, noted_at,
    case when decided_at > ${at} then 'quarantined' else state end as state, case when until <= ${at} then until end as until
    from metering.quarantines where noted_at <= ${at})`
}
