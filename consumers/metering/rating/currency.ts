/** Whether amounts in it can be billed: an ISO 4217 code with at most three decimals. */
export const isCurrency = (code: string): boolean =>
  Intl.supportedValuesOf('currency').includes(code) && currencyDigits(code) <= 3
const digits = new Map<string, number>()

/** Digits after the point that amounts of a currency carry (ISO 4217, as the runtime's own table has them). */
export function currencyDigits(currency: string): number {
  const known = digits.get(currency)
  if (known !== undefined) return known
  // The runtime takes longer to say it than an invoice takes to rate.
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  const found = format.resolvedOptions().maximumFractionDigits ?? 2
  digits.set(currency, found)
  return found
}
