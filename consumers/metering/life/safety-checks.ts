import { decimal, tryDecimal } from '../../../platform/decimal.ts'
import { currencyDigits } from '../rating/currency.ts'

/** What is about to be frozen. `planCurrencies`: of the plans that priced it. */
export type AboutToIssue = {
  period: string
  currency: string
  lines: readonly { id: string; period: string; partner: string; amount: string }[]
  subtotal: string
  taxes: readonly { amount: string }[]
  tax: string
  total: string
  credits_applied: string
  amount_due: string
  shares: readonly { partner: string; gross: string; partner_share: string; platform_fee: string; tax: string }[]
  planCurrencies: readonly string[]
}
export type Unsafe = { code: string; repair: string }

/** More than any plan of a hundred charges makes for a tenant that could still read it; the PDF would have 300 pages. */
export const MOST_LINES = 10_000
const OURS = 'a fault of this system: keep the usage, tell its makers, and retry with the version that mends it'

/**
 * What is wrong with an invoice, or null. Only what is certain is checked: sums, currency, lines that are there twice or
 * belong to a later month. A large amount is no fault.
 */
export function unsafe(invoice: AboutToIssue): Unsafe | null {
  return CHECKS.find(({ holds }) => !holds(invoice)) ?? null
}

type Check = Unsafe & { holds: (invoice: AboutToIssue) => boolean }
const CHECKS: readonly Check[] = [
  {
    code: 'currency_mixed',
    repair: 'the plans of the tenant are in several currencies: end the subscription that differs, then retry',
    holds: ({ currency, planCurrencies }) => planCurrencies.every((one) => one === currency),
  },
  {
    code: 'too_many_lines',
    repair: `an invoice has at most ${MOST_LINES} lines: let the plan group by fewer dimensions, then retry`,
    holds: ({ lines }) => lines.length <= MOST_LINES,
  },
  { code: 'amount_unreadable', repair: OURS, holds: (invoice) => amountsOf(invoice).every(fits(invoice.currency)) },
  {
    code: 'line_repeated',
    repair: OURS,
    holds: ({ lines }) => new Set(lines.map(({ id }) => id)).size === lines.length,
  },
  { code: 'line_of_later_month', repair: OURS, holds: ({ lines, period }) => lines.every((l) => l.period <= period) },
  {
    code: 'subtotal_wrong',
    repair: OURS,
    holds: ({ lines, subtotal }) => sum(lines.map(({ amount }) => amount)) === decimal(subtotal),
  },
  {
    code: 'tax_wrong',
    repair: OURS,
    holds: ({ taxes, tax }) => sum(taxes.map(({ amount }) => amount)) === decimal(tax),
  },
  { code: 'total_wrong', repair: OURS, holds: ({ subtotal, tax, total }) => sum([subtotal, tax]) === decimal(total) },
  {
    code: 'amount_due_wrong',
    repair: OURS,
    holds: ({ total, credits_applied, amount_due }) => sum([credits_applied, amount_due]) === decimal(total),
  },
  {
    code: 'shares_wrong',
    repair: OURS,
    holds: ({ shares, total }) =>
      shares.every(
        ({ gross, partner_share, platform_fee, tax }) => sum([partner_share, platform_fee, tax]) === decimal(gross),
      ) && sum(shares.map(({ gross }) => gross)) === decimal(total),
  },
  {
    code: 'line_of_nobody',
    repair: OURS,
    holds: ({ lines, shares }) => lines.every((line) => shares.some(({ partner }) => partner === line.partner)),
  },
]

const amountsOf = (one: AboutToIssue): string[] => [
  ...one.lines.map(({ amount }) => amount),
  ...one.taxes.map(({ amount }) => amount),
  ...one.shares.flatMap(({ gross, partner_share, platform_fee, tax }) => [gross, partner_share, platform_fee, tax]),
  ...[one.subtotal, one.tax, one.total, one.credits_applied, one.amount_due],
]

function fits(currency: string): (amount: string) => boolean {
  const digits = currencyDigits(currency)
  return (amount) => tryDecimal(amount) !== null && (amount.split('.')[1] ?? '').length === digits
}

const sum = (amounts: readonly string[]): bigint => amounts.reduce((total, amount) => total + decimal(amount), 0n)
