/** Whether amounts in it can be billed: an ISO 4217 code with at most three decimals. */
export const isCurrency = (code: string): boolean =>
  Intl.supportedValuesOf('currency').includes(code) && currencyDigits(code) <= 3

/** Digits after the point that amounts of a currency carry (ISO 4217, as the runtime's own table has them). */
export function currencyDigits(currency: string): number {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
}
