import { allocate, type Decimal, divideRounded, PLACES } from '../../../platform/decimal.ts'

/** What one partner's part of an invoice consists of: gross = partner_share + platform_fee + tax. */
export type Side = { partner: string; partner_share: Decimal; platform_fee: Decimal; tax: Decimal }
export type LeftTax = { partner: string; name: string; percent: string; period?: string; amount: Decimal }
export type LeftLine = { id: string; partner: string; description: string; amount: Decimal }
/** What earlier credit notes have left of an invoice. */
export type Left = { sides: readonly Side[]; lines: readonly LeftLine[]; taxes: readonly LeftTax[] }
export type Wanted = { all: true } | { amount: Decimal } | { lines: readonly { line_id: string; amount?: Decimal }[] }
export type Credit = {
  sides: Side[]
  taxes: LeftTax[]
  /** Empty unless lines were asked for. */
  lines: { line_id: string; description: string; amount: Decimal }[]
  net: Decimal
  tax: Decimal
  total: Decimal
}
export type CreditFault = { code: 'invalid' | 'exceeds'; pointer: string; detail: string }

/**
 * What a credit note takes back of everybody. A gross amount is shared out over all sides in proportion to what is left
 * of each, by largest remainder; lines take their net from their partner's side and tax in the proportion of that side.
 * Whatever the order, all credit notes of an invoice together never take more of a side than it had.
 */
export function creditOf(left: Left, wanted: Wanted, digits: number): Credit | CreditFault {
  const total = sum(left.sides.map(grossOf))
  if ('all' in wanted) return finished(left, [...left.sides], [], digits)
  if ('amount' in wanted) {
    if (wanted.amount <= 0n) return fault('invalid', '/amount', 'is above zero')
    if (!onGrid(wanted.amount, digits)) return fault('invalid', '/amount', `has at most ${digits} decimals`)
    if (wanted.amount > total) return fault('exceeds', '/amount', 'is more than is left of the invoice')
    return finished(left, shareOut(left.sides, wanted.amount, digits), [], digits)
  }
  const lines = linesOf(left, wanted.lines, digits)
  if ('code' in lines) return lines
  const sides: Side[] = []
  for (const side of left.sides) {
    const net = sum(lines.filter(({ partner }) => partner === side.partner).map(({ amount }) => amount))
    if (net === 0n) continue
    if (net > netOf(side)) return fault('exceeds', '/lines', `is more than is left of the part of ${side.partner}`)
    sides.push(ofNet(side, net, digits))
  }
  if (sum(sides.map(grossOf)) > total) return fault('exceeds', '/lines', 'is more than is left of the invoice')
  return finished(left, sides, lines, digits)
}

/** Sides that are below zero, where a partner owes the tenant, are left for whoever takes back the whole. */
function shareOut(sides: readonly Side[], amount: Decimal, digits: number): Side[] {
  if (amount === sum(sides.map(grossOf))) return [...sides]
  const parts = sides.flatMap(({ partner_share, platform_fee, tax }) => [partner_share, platform_fee, tax])
  const given = allocate(amount, parts.map(aboveZero), digits)
  return sides.map(({ partner }, index) => ({
    partner,
    partner_share: given[3 * index] as Decimal,
    platform_fee: given[3 * index + 1] as Decimal,
    tax: given[3 * index + 2] as Decimal,
  }))
}

function ofNet(side: Side, net: Decimal, digits: number): Side {
  if (net === netOf(side)) return side
  const weights = [side.partner_share, side.platform_fee].map(aboveZero)
  const [partner_share, platform_fee] = allocate(net, weights, digits) as [Decimal, Decimal]
  const unit = 10n ** BigInt(PLACES - digits)
  const tax = divideRounded(net * aboveZero(side.tax), netOf(side) * unit) * unit
  return { partner: side.partner, partner_share, platform_fee, tax: tax < side.tax ? tax : aboveZero(side.tax) }
}

type Chosen = Credit['lines'][number] & { partner: string }

function linesOf(
  left: Left,
  wanted: Extract<Wanted, { lines: unknown }>['lines'],
  digits: number,
): Chosen[] | CreditFault {
  const chosen: Chosen[] = []
  for (const [index, { line_id, amount }] of wanted.entries()) {
    const line = left.lines.find(({ id }) => id === line_id)
    const at = `/lines/${index}`
    if (!line) return fault('invalid', `${at}/line_id`, 'is no line of the invoice')
    if (chosen.some((one) => one.line_id === line_id)) return fault('invalid', `${at}/line_id`, 'is named twice')
    const credited = amount ?? line.amount
    if (amount !== undefined && (amount <= 0n || !onGrid(amount, digits)))
      return fault('invalid', `${at}/amount`, `is above zero, with at most ${digits} decimals`)
    if (credited <= 0n || credited > line.amount)
      return fault('exceeds', amount === undefined ? at : `${at}/amount`, 'is more than is left of the line')
    chosen.push({ line_id, description: line.description, amount: credited, partner: line.partner })
  }
  return chosen
}

function finished(left: Left, sides: Side[], lines: readonly Chosen[], digits: number): Credit {
  const net = sum(sides.map(netOf))
  const tax = sum(sides.map((side) => side.tax))
  const taxes = sides.flatMap((side) =>
    taxesOf(
      side,
      left.taxes.filter(({ partner }) => partner === side.partner),
      digits,
    ),
  )
  return {
    sides,
    taxes,
    lines: lines.map(({ partner: _, ...line }) => line),
    net,
    tax,
    total: net + tax,
  }
}

function taxesOf({ tax }: Side, taxes: readonly LeftTax[], digits: number): LeftTax[] {
  if (tax === sum(taxes.map(({ amount }) => amount))) return taxes.filter(({ amount }) => amount !== 0n)
  if (tax === 0n) return []
  const amounts = allocate(
    tax,
    taxes.map(({ amount }) => aboveZero(amount)),
    digits,
  )
  return taxes
    .map((one, index) => ({ ...one, amount: amounts[index] as Decimal }))
    .filter(({ amount }) => amount !== 0n)
}

const netOf = ({ partner_share, platform_fee }: Side): Decimal => partner_share + platform_fee
const grossOf = (side: Side): Decimal => netOf(side) + side.tax
const aboveZero = (value: Decimal): Decimal => (value > 0n ? value : 0n)
const onGrid = (amount: Decimal, digits: number) => amount % 10n ** BigInt(PLACES - digits) === 0n
const sum = (values: readonly Decimal[]): Decimal => values.reduce((a, b) => a + b, 0n)
const fault = (code: CreditFault['code'], pointer: string, detail: string): CreditFault => ({ code, pointer, detail })
