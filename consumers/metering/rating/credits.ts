import { allocate, type Decimal } from '../../../platform/decimal.ts'
import { inScope } from './discounts.ts'
import type { Part } from './line.ts'
import { grossOf } from './taxes.ts'

/** Prepaid money. `left` in the currency of the invoice, rounded to it; lower priorities and earlier expiries go first. */
export type PrepaidCredit = {
  id: string
  left: Decimal
  priority: number
  expires_at: Date | null
  applies_to?: readonly string[]
  /** The package whose plan it came with: it pays for nothing else. */
  package?: string
}
export type CreditUse = { id: string; amount: Decimal }

/**
 * What each credit pays of an amount due, tax included. A credit with a scope pays for its charges only; the total is
 * shared out over charges by largest remainder for that. Nothing is paid of a total that is not above zero.
 */
export function creditsUsed(
  total: Decimal,
  parts: readonly Part[],
  credits: readonly PrepaidCredit[],
  at: Date,
  digits: number,
): CreditUse[] {
  if (total <= 0n || credits.length === 0) return []
  const weights = parts.map((part) => (grossOf(part) > 0n ? grossOf(part) : 0n))
  const open = weights.some((weight) => weight > 0n) ? allocate(total, weights, digits) : []
  const usable = credits.filter(({ expires_at, left }) => left > 0n && (expires_at === null || expires_at > at))
  return [...usable].sort(inOrderOfUse).flatMap((credit) => {
    let used = 0n
    for (const [index, part] of parts.entries()) {
      if (!paysFor(credit, part)) continue
      const due = open[index] ?? 0n
      const paid = due < credit.left - used ? due : credit.left - used
      open[index] = due - paid
      used += paid
    }
    return used === 0n ? [] : [{ id: credit.id, amount: used }]
  })
}

/** Whether a credit may pay for a part of an invoice. */
export const paysFor = (
  { applies_to, package: of }: Pick<PrepaidCredit, 'applies_to' | 'package'>,
  part: Pick<Part, 'charge' | 'meter' | 'package'>,
): boolean => (of === undefined || of === part.package) && inScope(applies_to, part)

/** The order in which credits are used: priority, then what expires first, then age (ids sort by time). */
export function inOrderOfUse(a: PrepaidCredit, b: PrepaidCredit): number {
  const never = Number.POSITIVE_INFINITY
  const expiry = (a.expires_at?.getTime() ?? never) - (b.expires_at?.getTime() ?? never)
  return a.priority - b.priority || (Number.isNaN(expiry) ? 0 : expiry) || (a.id < b.id ? -1 : 1)
}
