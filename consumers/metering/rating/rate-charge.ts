import {
  type Decimal,
  decimal,
  formatDecimal,
  PLACES,
  roundProduct,
  roundTo,
  SCALE,
} from '../../../platform/decimal.ts'
import type { Charge, Tier } from './plan.ts'

export type RatedTier = {
  up_to: string | null
  quantity: string
  unit_amount?: string
  flat_amount?: string
  amount: string
}
export type RatedCharge = { amount: Decimal; unitPrice?: string; tiers?: RatedTier[] }

/**
 * Price of a month's quantity under one charge, rounded once, half away from zero, to the currency's `digits`.
 * Cumulative: the same function of the total quantity, however many runs it took to get there.
 */
export function rateCharge(charge: Charge, quantity: Decimal, digits: number): RatedCharge {
  if (charge.model === 'flat') return { amount: roundTo(decimal(charge.flat_amount), digits) }
  if (charge.model === 'per_unit') {
    const amount = roundProduct(quantity * decimal(charge.unit_amount), digits)
    return { amount, unitPrice: charge.unit_amount }
  }
  return graduated(charge.tiers, quantity, digits)
}

/** Each tier prices the part of the quantity inside it; a tier's flat amount is due once it is entered. */
function graduated(tiers: readonly Tier[], quantity: Decimal, digits: number): RatedCharge {
  const rated: RatedTier[] = []
  let exact = 0n
  let below = 0n
  for (const [index, tier] of tiers.entries()) {
    const bound = tier.up_to === null ? null : decimal(tier.up_to)
    // The first tier is entered by having the plan at all: its flat amount is due even at zero usage.
    if (index > 0 && quantity <= below) break
    const inside = (bound === null || quantity < bound ? quantity : bound) - below
    const amount = inside * decimal(tier.unit_amount ?? '0') + decimal(tier.flat_amount ?? '0') * SCALE
    exact += amount
    rated.push({
      up_to: tier.up_to,
      quantity: formatDecimal(inside),
      ...(tier.unit_amount === undefined ? {} : { unit_amount: tier.unit_amount }),
      ...(tier.flat_amount === undefined ? {} : { flat_amount: tier.flat_amount }),
      amount: formatDecimal(roundProduct(amount, PLACES)),
    })
    if (bound === null) break
    below = bound
  }
  return { amount: roundProduct(exact, digits), tiers: rated }
}
