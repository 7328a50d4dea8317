import { type Decimal, decimal, SCALE } from '../../../platform/decimal.ts'
import type { MeteredCharge } from './plan.ts'
import type { Exact } from './price.ts'
import { quotient } from './quantity.ts'

type TieredCharge = Extract<MeteredCharge, { tiers: unknown }>
/** A tier read once. `size` is that of a block, or null where every part of a unit is priced. */
type TierPrice = {
  upTo: Decimal | null
  unit: Decimal
  flat: Decimal
  size: Decimal | null
  direction: 'up' | 'down'
}
export type Tiers = readonly TierPrice[]
/** What one tier prices: `index` in the charge's tiers, the part of the quantity, in blocks where the tier has them. */
export type Piece = { index: number; inside: Decimal; blocks?: bigint; exact: Exact }

export function readTiers(charge: TieredCharge): Tiers {
  if (charge.model === 'graduated_percentage')
    return charge.tiers.map(({ up_to, rate_percent, flat_amount }) => ({
      upTo: up_to === null ? null : decimal(up_to),
      unit: decimal(rate_percent ?? '0') / 100n,
      flat: decimal(flat_amount ?? '0'),
      size: null,
      direction: 'up',
    }))
  return charge.tiers.map(({ up_to, unit_amount, flat_amount, package_size }) => {
    const size = package_size ?? charge.package_size
    return {
      upTo: up_to === null ? null : decimal(up_to),
      unit: decimal(unit_amount ?? '0'),
      flat: decimal(flat_amount ?? '0'),
      size: size === undefined ? null : decimal(size),
      direction: charge.package_rounding ?? 'up',
    }
  })
}

/**
 * Each tier prices the part of the quantity inside it; a tier's flat amount is due once it is entered. The first is
 * entered by having the plan at all, so its flat amount is due at zero too.
 */
export function graduated(tiers: Tiers, quantity: Decimal): Exact {
  let exact = 0n
  let below = 0n
  for (let index = 0; index < tiers.length; index += 1) {
    const tier = tiers[index] as TierPrice
    if (index > 0 && quantity <= below) break
    const { upTo } = tier
    if (upTo === null || quantity <= upTo) return exact + amountInside(tier, quantity - below)
    exact += amountInside(tier, upTo - below)
    below = upTo
  }
  return exact
}

/** The tier that the whole quantity falls into prices all of it. */
export function volume(tiers: Tiers, quantity: Decimal): Exact {
  return amountInside(tiers[tierOf(tiers, quantity)] as TierPrice, quantity)
}

/** The parts that `graduated` or `volume` sum up, for people to check. */
export function piecesOf(tiers: Tiers, model: 'graduated' | 'volume', quantity: Decimal): Piece[] {
  if (model === 'volume') return [piece(tiers, tierOf(tiers, quantity), quantity)]
  const pieces: Piece[] = []
  let below = 0n
  for (const [index, { upTo }] of tiers.entries()) {
    if (index > 0 && quantity <= below) break
    pieces.push(piece(tiers, index, (upTo === null || quantity < upTo ? quantity : upTo) - below))
    if (upTo === null) break
    below = upTo
  }
  return pieces
}

const tierOf = (tiers: Tiers, quantity: Decimal): number =>
  tiers.findIndex(({ upTo }) => upTo === null || quantity <= upTo)

function piece(tiers: Tiers, index: number, inside: Decimal): Piece {
  const tier = tiers[index] as TierPrice
  const exact = amountInside(tier, inside)
  return tier.size === null
    ? { index, inside, exact }
    : { index, inside, blocks: blocksIn(tier, tier.size, inside), exact }
}

const amountInside = (tier: TierPrice, inside: Decimal): Exact =>
  (tier.size === null ? inside : blocksIn(tier, tier.size, inside) * SCALE) * tier.unit + tier.flat * SCALE

const blocksIn = (tier: TierPrice, size: Decimal, inside: Decimal): bigint => quotient(inside, size, tier.direction)
