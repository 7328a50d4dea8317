import { createHash } from 'node:crypto'
import type { Decimal } from '../../../platform/decimal.ts'
import type { Tax } from './plan.ts'
import type { Exact, RatedTier } from './price.ts'
import type { Dimensions, Window } from './usage.ts'

export type LineKind = 'usage' | 'flat' | 'minimum' | 'maximum' | 'commitment' | 'discount' | 'rounding' | 'adjustment'

/** Usage of a version that a line does not bill; null: from ever, or until ever. */
export type LeftOut = { package: string; version: string; from: string | null; to: string | null }

/** A line of an invoice as it travels: amounts carry the currency's decimals, quantities are exact. */
export type InvoiceLine = {
  id: string
  kind: LineKind
  charge?: string
  meter?: string
  package?: string
  dimensions?: Dimensions
  description: string
  quantity?: string
  unit_price?: string
  tiers?: RatedTier[]
  /** The plan version that priced it. */
  price_version?: string
  /** The part of the period it is for, where that is not the whole. */
  from?: string
  to?: string
  amount: string
  period: string
  partner: string
  /** On an adjustment: the line of the issued period that it corrects. */
  adjusts?: string
  /**
   * On an issued line of a meter: the Merkle root over what each report added to its hours, how many of those there
   * are, and the packages whose usage of the meter it priced ('' for usage that names none).
   */
  usage_root?: string
  usage_reports?: number
  usage_packages?: readonly string[]
  /** Usage of their versions that was quarantined when the line was issued, from one hour to another. */
  usage_left_out?: readonly LeftOut[]
}

/** A line before its amount is written down: `exact` is not rounded at all, `amount` to the currency. */
export type RatedLine = { line: Omit<InvoiceLine, 'amount'>; exact: Exact; amount: Decimal }

/**
 * What taxes, discounts and credits work on: the lines of one charge together, since a maximum lowers what its usage
 * lines come to. `net` is what is left after discounts, rounded or exact as the plan's rounding level says.
 */
export type Part = { charge: string; meter?: string; package?: string; net: Exact; taxes: readonly Tax[] }

/** A line keeps its id from the first live look to the issued invoice, so links to it stay good. */
export function lineId(...names: readonly string[]): string {
  const hex = createHash('sha256').update(names.join('\n')).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const DAY_MS = 86_400_000

/**
 * Days that a window has of its period, by the calendar. A day that is touched counts; the one on which a price changes
 * counts for the new price, the one on which a subscription ends (`last`) counts whole.
 */
export function daysOf(window: Window, period: Window, last: boolean): { days: bigint; of: bigint } {
  const first = Math.floor(window.from.getTime() / DAY_MS)
  const end = (last ? Math.ceil : Math.floor)(window.to.getTime() / DAY_MS)
  const of = Math.ceil(period.to.getTime() / DAY_MS) - Math.floor(period.from.getTime() / DAY_MS)
  return { days: BigInt(Math.max(0, end - first)), of: BigInt(of) }
}
