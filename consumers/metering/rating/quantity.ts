import { type Decimal, decimal, divideRounded, PLACES, SCALE } from '../../../platform/decimal.ts'
import type { MeteredCharge } from './plan.ts'

/** Whole part of a quotient towards zero, or away from it. Operands are not negative. */
export const quotient = (value: bigint, divisor: bigint, direction: 'up' | 'down'): bigint =>
  direction === 'up' ? (value + divisor - 1n) / divisor : value / divisor

/**
 * The quantity a price applies to: the measured one in the unit of the price (bytes to gigabytes, say), rounded as the
 * charge says. The quotient is rounded once, from the exact fraction.
 */
export function convert(quantity: Decimal, rule: NonNullable<MeteredCharge['convert']>): Decimal {
  const { divide_by, multiply_by, rounding = 'none', places = 0 } = rule
  const [dividend, divisor] =
    divide_by === undefined ? [quantity * decimal(multiply_by ?? '1'), SCALE] : [quantity * SCALE, decimal(divide_by)]
  const unit = rounding === 'none' ? 1n : 10n ** BigInt(PLACES - places)
  const steps = divisor * unit
  switch (rounding) {
    case 'up':
    case 'ceil':
    case 'ceiling':
      return quotient(dividend, steps, 'up') * unit
    case 'down':
    case 'floor':
      return quotient(dividend, steps, 'down') * unit
    default:
      return divideRounded(dividend, steps) * unit
  }
}
