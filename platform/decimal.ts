/**
 * Exact decimals as BigInt scaled by 1e12: what prices need (12 places) and what a double cannot hold.
 * Text in, text out; a float never appears.
 */
export type Decimal = bigint

export const PLACES = 12
export const SCALE: Decimal = 10n ** BigInt(PLACES)
/** Room for the largest price times the largest sum of quantities, so that whatever was accepted can be rated. */
const SHAPE = /^(-)?(\d{1,60})(?:\.(\d{1,12}))?$/

/** Reads decimal text of at most 60 digits before and 12 after the point; null when it is anything else. */
export function tryDecimal(text: string): Decimal | null {
  const match = SHAPE.exec(text)
  if (!match) return null
  const scaled = BigInt(match[2] as string) * SCALE + BigInt((match[3] ?? '').padEnd(PLACES, '0'))
  return match[1] ? -scaled : scaled
}

/** As `tryDecimal`, for text that was checked before. Throws RangeError otherwise. */
export function decimal(text: string): Decimal {
  const value = tryDecimal(text)
  if (value === null) throw new RangeError(`not a decimal: ${text.slice(0, 40)}`)
  return value
}

/** Shortest exact text, or exactly `places` decimals (the value must have been rounded to them before). */
export function formatDecimal(value: Decimal, places?: number): string {
  const negative = value < 0n
  const digits = (negative ? -value : value).toString().padStart(PLACES + 1, '0')
  const whole = digits.slice(0, -PLACES)
  const fraction = digits.slice(-PLACES)
  const kept = places === undefined ? fraction.replace(/0+$/, '') : fraction.slice(0, places)
  return `${negative ? '-' : ''}${whole}${kept ? `.${kept}` : ''}`
}

/** Product rounded half away from zero at the twelfth place. */
export const multiply = (a: Decimal, b: Decimal): Decimal => divideRounded(a * b, SCALE)

/** Rounds half away from zero to `places` decimals: the rule invoices state for each line. */
export function roundTo(value: Decimal, places: number): Decimal {
  const unit = 10n ** BigInt(PLACES - places)
  return divideRounded(value, unit) * unit
}

/**
 * Rounds a product of two decimals, or a sum of such, that nothing has rounded yet (`a * b`, scaled by 1e24), half away
 * from zero to `places` decimals. Rounding it to twelve places on the way would turn 0.00499… into a cent.
 */
export function roundProduct(product: bigint, places: number): Decimal {
  const unit = 10n ** BigInt(PLACES - places)
  return divideRounded(product, SCALE * unit) * unit
}

/** Quotient rounded half away from zero; `divisor` is above zero. */
export function divideRounded(value: bigint, divisor: bigint): bigint {
  const half = divisor / 2n
  return value >= 0n ? (value + half) / divisor : -((-value + half) / divisor)
}

/**
 * Splits `total` in proportion to `weights` so that the parts sum to it exactly, in steps of 10^-places:
 * largest remainder, ties to the earlier part.
 */
export function allocate(total: Decimal, weights: readonly Decimal[], places: number): Decimal[] {
  const unit = 10n ** BigInt(PLACES - places)
  const sign = total < 0n ? -1n : 1n
  const units = (total * sign) / unit
  const sum = weights.reduce((a, b) => a + b, 0n)
  if (sum <= 0n) throw new RangeError('weights must sum to more than zero')
  const floors = weights.map((weight) => (units * weight) / sum)
  const remainders = weights.map((weight, index) => ({ index, rest: (units * weight) % sum }))
  let left = units - floors.reduce((a, b) => a + b, 0n)
  remainders.sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1))
  for (const { index } of remainders) {
    if (left === 0n) break
    floors[index] = (floors[index] as bigint) + 1n
    left -= 1n
  }
  return floors.map((part) => part * unit * sign)
}
