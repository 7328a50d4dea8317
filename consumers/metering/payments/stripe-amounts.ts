import { decimal, formatDecimal, PLACES } from '../../../platform/decimal.ts'

/** From Stripe's page on currencies; all that is named in none of these lists has two decimals there. */
const ZERO_DECIMALS = 'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ')
/** Card networks take steps of ten of these only. */
const THREE_DECIMALS = 'BHD JOD KWD OMR TND'.split(' ')
/** Whole units only, although an amount of 1 is written 100. */
const WHOLE_IN_HUNDREDTHS = 'ISK UGX'.split(' ')

/** `places` decimals, of which only multiples of `step` units can be collected. */
type Units = { places: number; step: bigint }

function unitsOf(currency: string): Units {
  if (ZERO_DECIMALS.includes(currency)) return { places: 0, step: 1n }
  if (THREE_DECIMALS.includes(currency)) return { places: 3, step: 10n }
  if (WHOLE_IN_HUNDREDTHS.includes(currency)) return { places: 2, step: 100n }
  return { places: 2, step: 1n }
}

/**
 * Decimal amounts as Stripe's integers. Their sum is the sum of the amounts, rounded half away from zero to what can be
 * collected; `rounding` is what that added, as decimal text (negative: took away).
 */
export function stripeAmounts(amounts: readonly string[], currency: string): { units: bigint[]; rounding: string } {
  const { places, step } = unitsOf(currency)
  const grain = 10n ** BigInt(PLACES - places) * step
  const onGrid = (value: bigint): bigint => {
    const magnitude = ((value < 0n ? -value : value) + grain / 2n) / grain
    return value < 0n ? -magnitude : magnitude
  }
  // Running sums are rounded, not amounts: no difference piles up, whatever the signs.
  let sum = 0n
  let taken = 0n
  const units = amounts.map((amount) => {
    sum += decimal(amount)
    const next = onGrid(sum)
    const unit = (next - taken) * step
    taken = next
    return unit
  })
  return { units, rounding: formatDecimal(taken * grain - sum) }
}

/**
 * One of several amounts in Stripe's units, `before` being the sum of those before it: running sums are rounded to what
 * can be collected, so that all of them together come to what their sum is there.
 */
export function unitsAfter(before: string, amount: string, currency: string): bigint {
  const { units } = stripeAmounts([before, amount], currency)
  return units[1] as bigint
}
