import type { RevenueMonth } from './answers.ts'
import { addDecimals, groupDigits, toScaled } from './decimal.ts'
import { longMonth } from './names.ts'

/** One sentence that says what the chart shows, for those who cannot see it. `months` must not be empty. */
export const revenueSummary = (months: readonly RevenueMonth[], currency: string | null): string => {
  const first = months[0]
  const last = months.at(-1)
  if (first === undefined || last === undefined) throw new RangeError('a summary needs a month')
  const money = (text: string) => (currency === null ? groupDigits(text) : `${groupDigits(text)} ${currency}`)
  const sum = (key: 'gross' | 'partner_share' | 'platform_fee' | 'tax') => money(addDecimals(months.map((m) => m[key])))
  const highest = months.reduce((top, m) => (toScaled(m.gross) > toScaled(top.gross) ? m : top))
  const span =
    months.length === 1
      ? `In ${longMonth(first.month)} revenue was`
      : `From ${longMonth(first.month)} to ${longMonth(last.month)} revenue was`
  const split = `${sum('partner_share')} to partners, ${sum('platform_fee')} platform fee and ${sum('tax')} tax`
  const peak =
    months.length === 1 ? '' : `; the highest month was ${longMonth(highest.month)} with ${money(highest.gross)}`
  return `${span} ${sum('gross')}: ${split}${peak}.`
}
