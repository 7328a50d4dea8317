const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/

/**
 * Reads a strict RFC 3339 time; null for anything else. `Date` alone turns 30 February into March, so the fields are
 * compared with what the calendar makes of them.
 */
export function parseUtcTime(text: string): Date | null {
  const match = RFC3339.exec(text)
  if (!match) return null
  const [, year, month, day, hour, minute, second] = match
  const local = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`)
  if (
    Number.isNaN(local.getTime()) ||
    local.toISOString().slice(0, 19) !== `${year}-${month}-${day}T${hour}:${minute}:${second}`
  )
    return null
  const time = new Date(text.toUpperCase())
  // Years that neither a column nor an ISO text of four digits can hold.
  const utcYear = time.getUTCFullYear()
  return utcYear >= 1970 && utcYear <= 2999 ? time : null
}

/** The UTC calendar month of a time: `2026-11`. */
export const periodOf = (time: Date): string => time.toISOString().slice(0, 7)

/** First instant of a period and of the one after it. */
export function periodBounds(period: string): { start: Date; end: Date } {
  const [year, month] = period.split('-').map(Number) as [number, number]
  return { start: new Date(Date.UTC(year, month - 1, 1)), end: new Date(Date.UTC(year, month, 1)) }
}
