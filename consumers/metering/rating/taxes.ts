import { allocate, type Decimal, decimal, divideRounded, roundProduct, SCALE } from '../../../platform/decimal.ts'
import { groupBy } from './group-by.ts'
import type { Part } from './line.ts'
import type { RoundingLevel } from './plan.ts'

/** Tax of one rate on a partner's part of a period. `base` and `amount` carry the currency's decimals. */
export type TaxAmount = { partner: string; name: string; percent: string; base: Decimal; amount: Decimal }
export type TaxedParts = { partner: string; level: RoundingLevel; parts: readonly Part[] }

/**
 * Tax per partner and rate. Level `line` rounds each rate once, on the sum of its rounded lines; level `invoice` adds
 * up what is not rounded, rounds the whole tax once, and splits that over the rates by largest remainder.
 */
export function taxesOf(sold: readonly TaxedParts[], digits: number): TaxAmount[] {
  const groups = groupBy(sold, ({ partner, level }) => JSON.stringify([partner, level]))
  return [...groups.values()].flatMap((group) => {
    const { partner, level } = group[0] as TaxedParts
    const rates = ratesOf(group.flatMap(({ parts }) => parts))
    const amounts = level === 'line' ? rates.map(({ exact }) => roundProduct(exact, digits)) : together(rates, digits)
    return rates.map(({ name, percent, base }, index) => ({
      partner,
      name,
      percent,
      base: roundProduct(base, digits),
      amount: amounts[index] as Decimal,
    }))
  })
}

type Rate = { name: string; percent: string; base: bigint; exact: bigint }

function ratesOf(parts: readonly Part[]): Rate[] {
  const taxed = parts.flatMap(({ net, taxes }) => taxes.map((tax) => ({ net, ...tax })))
  return [...groupBy(taxed, ({ name, percent }) => JSON.stringify([name, percent])).values()].map((group) => {
    const { name, percent } = group[0] as (typeof group)[number]
    const base = group.reduce((sum, { net }) => sum + net, 0n)
    return { name, percent, base, exact: divideRounded(base * decimal(percent), 100n * SCALE) }
  })
}

function together(rates: readonly Rate[], digits: number): Decimal[] {
  const weights = rates.map(({ exact }) => (exact > 0n ? exact : 0n))
  const total = roundProduct(
    rates.reduce((sum, { exact }) => sum + exact, 0n),
    digits,
  )
  if (total <= 0n) return rates.map(({ exact }) => roundProduct(exact, digits))
  return allocate(total, weights, digits)
}

/** Exact tax of a part, for whoever shares a total out over charges; scaled by 1e24. */
export const grossOf = ({ net, taxes }: Part): bigint =>
  taxes.reduce((sum, { percent }) => sum + divideRounded(net * decimal(percent), 100n * SCALE), net)
