import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { type InvoiceLine, lineId } from './line.ts'
import type { RatedTier } from './price.ts'
import type { RatedPeriod } from './rate-period.ts'
import type { TaxAmount } from './taxes.ts'

/** Tax as an invoice states it. `period` where it belongs to another one than the invoice's. */
export type TaxLine = { partner?: string; name: string; percent: string; base: string; amount: string; period?: string }
/** What the invoices issued so far have booked for one period: the last state of each line, and the tax. */
export type Booked = { lines: ReadonlyMap<string, InvoiceLine>; taxes: readonly TaxLine[] }

export const nothingBooked: Booked = { lines: new Map(), taxes: [] }

/** Lines as an invoice shows them the first time a period is billed. */
export const linesOf = (rated: RatedPeriod, digits: number): InvoiceLine[] =>
  rated.lines.map(({ line, amount }) => ({ ...line, amount: formatDecimal(amount, digits) }))

/**
 * What a period rated again differs from what was booked for it. A line whose unit price changed is taken back whole
 * and booked anew, others by their difference, so what was issued never changes and all of it adds up to the new rating.
 * `run` makes the ids of the new lines: the invoice that carries them.
 */
export function difference(
  rated: RatedPeriod,
  booked: Booked,
  digits: number,
  run: string,
): { lines: InvoiceLine[]; taxes: TaxAmount[] } {
  const now = linesOf(rated, digits)
  const gone = [...booked.lines.values()].filter(({ id }) => !now.some((line) => line.id === id))
  const lines = [
    ...now.flatMap((line) => changes(line, booked.lines.get(line.id), digits, run)),
    ...gone.filter(({ amount }) => decimal(amount) !== 0n).map((line) => takenBack(line, digits, run)),
  ]
  return { lines, taxes: taxDifference(rated, booked) }
}

function changes(line: InvoiceLine, before: InvoiceLine | undefined, digits: number, run: string): InvoiceLine[] {
  if (before === undefined) return decimal(line.amount) === 0n ? [] : [adjustment(line, line, 'corrected', run)]
  if (line.amount === before.amount) return []
  if (line.unit_price !== before.unit_price && before.unit_price !== undefined && before.quantity !== '0')
    return [takenBack(before, digits, run), adjustment(line, line, 'corrected', run)]
  const amount = formatDecimal(decimal(line.amount) - decimal(before.amount), digits)
  const quantity =
    line.quantity === undefined
      ? {}
      : { quantity: formatDecimal(decimal(line.quantity) - decimal(before.quantity ?? '0')) }
  const tiers = line.tiers === undefined ? {} : { tiers: tierChanges(line.tiers, before.tiers ?? []) }
  return [adjustment(line, { ...line, ...quantity, ...tiers, amount }, 'corrected', run)]
}

function takenBack(line: InvoiceLine, digits: number, run: string): InvoiceLine {
  const back = {
    ...line,
    ...(line.quantity === undefined ? {} : { quantity: formatDecimal(-decimal(line.quantity)) }),
    amount: formatDecimal(-decimal(line.amount), digits),
  }
  delete back.tiers
  return adjustment(line, back, 'taken back', run)
}

function adjustment(of: InvoiceLine, now: InvoiceLine, what: string, run: string): InvoiceLine {
  const description = `${of.description} (${of.period} ${what})`
  // What an earlier invoice billed is not what this one does.
  const {
    usage_root: _root,
    usage_reports: _reports,
    usage_packages: _packages,
    usage_left_out: _leftOut,
    ...line
  } = now
  return { ...line, id: lineId(of.id, run, what), kind: 'adjustment', description, adjusts: of.id }
}

function tierChanges(now: readonly RatedTier[], before: readonly RatedTier[]): RatedTier[] {
  return now
    .map((tier): RatedTier => {
      const old = before.find(({ up_to }) => up_to === tier.up_to)
      if (!old) return tier
      const minus = (a: string, b: string) => formatDecimal(decimal(a) - decimal(b))
      return {
        ...tier,
        quantity: minus(tier.quantity, old.quantity),
        ...(tier.blocks === undefined ? {} : { blocks: minus(tier.blocks, old.blocks ?? '0') }),
        amount: minus(tier.amount, old.amount),
      }
    })
    .filter(({ quantity, amount }) => quantity !== '0' || amount !== '0')
}

function taxDifference(rated: RatedPeriod, booked: Booked): TaxAmount[] {
  const key = (one: { partner?: string; name: string; percent: string }) =>
    JSON.stringify([one.partner ?? '', one.name, one.percent])
  const left = new Map<string, TaxAmount>()
  const add = (tax: Omit<TaxAmount, 'partner'> & { partner?: string }, sign: bigint) => {
    const { base = 0n, amount = 0n } = left.get(key(tax)) ?? {}
    const { partner = '', name, percent } = tax
    left.set(key(tax), { partner, name, percent, base: base + sign * tax.base, amount: amount + sign * tax.amount })
  }
  for (const tax of rated.taxes) add(tax, 1n)
  for (const tax of booked.taxes) add({ ...tax, base: decimal(tax.base), amount: decimal(tax.amount) }, -1n)
  return [...left.values()].filter(({ base, amount }) => base !== 0n || amount !== 0n)
}

/**
 * What lines of issued invoices, oldest first, have booked for a period: adjustments folded into the lines they adjust,
 * so that the next difference starts from the whole.
 */
export function bookedBy(lines: readonly InvoiceLine[], taxes: readonly TaxLine[]): Booked {
  const booked = new Map<string, InvoiceLine>()
  for (const line of lines) {
    const id = line.adjusts ?? line.id
    const before = booked.get(id)
    booked.set(id, before === undefined ? { ...line, id } : folded(before, line))
  }
  return { lines: booked, taxes }
}

function folded(before: InvoiceLine, line: InvoiceLine): InvoiceLine {
  const plus = (a: string | undefined, b: string | undefined): Decimal => decimal(a ?? '0') + decimal(b ?? '0')
  const places = line.amount.split('.')[1]?.length ?? 0
  const quantity = line.quantity === undefined ? before.quantity : formatDecimal(plus(before.quantity, line.quantity))
  // A line that was taken back whole starts anew.
  const tiers = quantity === '0' ? [] : foldedTiers(before.tiers ?? [], line.tiers ?? [])
  return {
    ...before,
    ...(line.unit_price === undefined ? {} : { unit_price: line.unit_price }),
    ...(quantity === undefined ? {} : { quantity }),
    ...(before.tiers === undefined ? {} : { tiers }),
    amount: formatDecimal(plus(before.amount, line.amount), places),
  }
}

function foldedTiers(before: readonly RatedTier[], added: readonly RatedTier[]): RatedTier[] {
  const sum = (a: string | undefined, b: string | undefined) => formatDecimal(decimal(a ?? '0') + decimal(b ?? '0'))
  const tiers = new Map(before.map((tier) => [tier.up_to, tier]))
  for (const tier of added) {
    const old = tiers.get(tier.up_to)
    const blocks = tier.blocks === undefined ? {} : { blocks: sum(old?.blocks, tier.blocks) }
    tiers.set(tier.up_to, {
      ...tier,
      quantity: sum(old?.quantity, tier.quantity),
      ...blocks,
      amount: sum(old?.amount, tier.amount),
    })
  }
  return [...tiers.values()]
}
