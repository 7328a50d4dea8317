export const HOUR_MS = 3_600_000

/** The start of the hour that a time is in, or with `Math.ceil` of the first one that is not before it. */
export const hourOf = (time: Date, round = Math.floor): Date => new Date(round(time.getTime() / HOUR_MS) * HOUR_MS)
