import {
  type Decimal,
  decimal,
  divideRounded,
  formatDecimal,
  PLACES,
  roundProduct,
  SCALE,
} from '../../../platform/decimal.ts'
import { percentageOfEvents } from './percentage.ts'
import type { MeteredCharge } from './plan.ts'
import { convert, quotient } from './quantity.ts'
import { graduated, piecesOf, readTiers, type Tiers, volume } from './tiers.ts'
import type { UsageEvent } from './usage.ts'

/** An amount of money before any rounding, scaled by 1e24: a product of two decimals, or a sum of such. */
export type Exact = bigint
export const EXACT: Exact = SCALE * SCALE

export type RatedTier = {
  up_to: string | null
  quantity: string
  blocks?: string
  unit_amount?: string
  rate_percent?: string
  flat_amount?: string
  amount: string
}
export type Price = {
  quantity: Decimal
  exact: Exact
  unitPrice?: string
  tiers?: RatedTier[]
}

/**
 * A metered charge as a function of the quantity of its period, read once so that rating is arithmetic only. The amount
 * depends on the cumulative quantity alone, however many runs it took to get there.
 */
export function prepare(charge: MeteredCharge): (quantity: Decimal) => Exact {
  const converted = charge.convert
  const amount = amountOf(charge)
  const multiplied = charge.multiplier === undefined ? amount : times(amount, decimal(charge.multiplier))
  if (!converted) return multiplied
  return (quantity) => multiplied(convert(quantity, converted))
}

/** The amount of a quantity under a charge with what an invoice line shows of it. `events` as `needsEvents` asks. */
export function priceOf(
  charge: MeteredCharge,
  measured: Decimal,
  records: number,
  events: readonly UsageEvent[],
): Price {
  const quantity = charge.convert ? convert(measured, charge.convert) : measured
  if (charge.model === 'percentage') {
    const exact = percentageOfEvents(charge, quantity, records, events)
    return { quantity, exact: charge.multiplier === undefined ? exact : scaled(exact, decimal(charge.multiplier)) }
  }
  const { convert: _done, ...plain } = charge
  const exact = prepare(plain)(quantity)
  const shown = { quantity, exact }
  if (charge.model === 'per_unit')
    return { ...shown, unitPrice: effectivePrice(charge.unit_amount ?? '1', charge.multiplier) }
  if (charge.model === 'package') return { ...shown, tiers: [blocksRow(charge, quantity)] }
  const tiers = readTiers(charge)
  const pieces = piecesOf(tiers, charge.model === 'volume' ? 'volume' : 'graduated', quantity)
  const rows = pieces.map(({ index, inside, blocks, exact: part }): RatedTier => {
    const { up_to, ...prices } = charge.tiers[index] as (typeof charge.tiers)[number]
    const { package_size: _size, ...shownPrices } = { package_size: undefined, ...prices }
    return {
      up_to,
      quantity: formatDecimal(inside),
      ...(blocks === undefined ? {} : { blocks: String(blocks) }),
      ...shownPrices,
      amount: formatDecimal(roundProduct(part, PLACES)),
    }
  })
  const only = charge.model === 'volume' ? rows[0]?.unit_amount : undefined
  return {
    ...shown,
    ...(only === undefined ? {} : { unitPrice: effectivePrice(only, charge.multiplier) }),
    tiers: rows,
  }
}

function amountOf(charge: MeteredCharge): (quantity: Decimal) => Exact {
  switch (charge.model) {
    case 'per_unit': {
      const unit = decimal(charge.unit_amount ?? '1')
      const free = decimal(charge.free_units ?? '0')
      return (quantity) => (quantity > free ? (quantity - free) * unit : 0n)
    }
    case 'package': {
      const unit = decimal(charge.unit_amount)
      return (quantity) => blocksOf(charge, quantity) * SCALE * unit
    }
    case 'percentage':
      return (quantity) => percentageOfEvents(charge, quantity, 0, [])
    default: {
      const tiers: Tiers = readTiers(charge)
      return charge.model === 'volume'
        ? (quantity) => volume(tiers, quantity)
        : (quantity) => graduated(tiers, quantity)
    }
  }
}

function blocksOf(charge: Extract<MeteredCharge, { model: 'package' }>, quantity: Decimal): bigint {
  const paid = quantity - decimal(charge.free_units ?? '0')
  return paid <= 0n ? 0n : quotient(paid, decimal(charge.package_size), charge.package_rounding ?? 'up')
}

function blocksRow(charge: Extract<MeteredCharge, { model: 'package' }>, quantity: Decimal): RatedTier {
  const blocks = blocksOf(charge, quantity)
  const amount = formatDecimal(blocks * decimal(charge.unit_amount))
  return {
    up_to: null,
    quantity: formatDecimal(quantity),
    blocks: String(blocks),
    unit_amount: charge.unit_amount,
    amount,
  }
}

const times =
  (amount: (quantity: Decimal) => Exact, multiplier: Decimal) =>
  (quantity: Decimal): Exact =>
    scaled(amount(quantity), multiplier)
const scaled = (exact: Exact, multiplier: Decimal): Exact => divideRounded(exact * multiplier, SCALE)
const effectivePrice = (unit: string, multiplier: string | undefined): string =>
  multiplier === undefined ? unit : formatDecimal(roundProduct(decimal(unit) * decimal(multiplier), PLACES))
