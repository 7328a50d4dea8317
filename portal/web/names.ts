const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const

/** `2026-10` is `October 2026`. */
export const longMonth = (month: string): string => `${MONTHS[Number(month.slice(5)) - 1]} ${month.slice(0, 4)}`

/** `2026-10` is `Oct`. */
export const shortMonth = (month: string): string => MONTHS[Number(month.slice(5)) - 1]?.slice(0, 3) ?? month

/** `in_review` is `in review`: wire names made readable. */
export const words = (name: string): string => name.replaceAll('_', ' ')

/** `3 findings`, `1 finding`. */
export const counted = (count: number, one: string): string => `${count} ${count === 1 ? one : `${one}s`}`
