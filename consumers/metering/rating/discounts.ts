import {
  allocate,
  type Decimal,
  decimal,
  divideRounded,
  formatDecimal,
  PLACES,
  roundProduct,
  SCALE,
} from '../../../platform/decimal.ts'
import type { InvoiceLine, Part, RatedLine } from './line.ts'
import type { Discount, Plan, RoundingLevel } from './plan.ts'
import type { Exact } from './price.ts'

type MakeLine = (
  kind: 'discount',
  names: readonly string[],
  exact: Exact,
  more: Partial<InvoiceLine> & { description: string },
) => RatedLine

/**
 * Takes each discount off the parts it applies to, in the order of the plan and in proportion to what earlier ones left
 * of them, and returns a line for each. Spread in minor units where lines are rounded, at twelve decimals otherwise.
 */
export function discountLines(
  plan: Plan,
  parts: Part[],
  digits: number,
  level: RoundingLevel,
  line: MakeLine,
): RatedLine[] {
  return (plan.discounts ?? []).flatMap((discount, index) => {
    const own = parts.filter((part) => part.net > 0n && inScope(discount.applies_to, part))
    const left = own.reduce((sum, { net }) => sum + net, 0n)
    const places = level === 'line' ? digits : PLACES
    const off = amountOf(discount, left, places)
    if (off === 0n) return []
    const shares = allocate(
      off,
      own.map(({ net }) => net),
      places,
    )
    for (const [at, part] of own.entries()) part.net -= (shares[at] as Decimal) * SCALE
    const what =
      discount.percent === undefined ? formatDecimal(decimal(discount.amount ?? '0')) : `${discount.percent} %`
    return [
      line('discount', ['discount', String(index)], -off * SCALE, {
        description: `${discount.name ?? 'discount'} of ${what}`,
      }),
    ]
  })
}

/** Whether a discount or credit with this scope applies to a part: by charge or by meter, to all without a scope. */
export const inScope = (
  scope: readonly string[] | undefined,
  { charge, meter }: Pick<Part, 'charge' | 'meter'>,
): boolean => scope === undefined || scope.includes(charge) || (meter !== undefined && scope.includes(meter))

function amountOf({ percent, amount }: Discount, left: Exact, places: number): Decimal {
  if (left === 0n) return 0n
  const whole = roundProduct(left, places)
  if (percent !== undefined) return roundProduct(divideRounded(left * decimal(percent), SCALE * 100n), places)
  const fixed = decimal(amount ?? '0')
  return fixed < whole ? fixed : whole
}
