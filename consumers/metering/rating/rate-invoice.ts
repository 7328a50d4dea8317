import { allocate, type Decimal, decimal, formatDecimal, SCALE } from '../../../platform/decimal.ts'
import { currencyDigits } from './currency.ts'
import { type Booked, difference, linesOf } from './delta.ts'
import { groupBy } from './group-by.ts'
import type { InvoiceLine, Part } from './line.ts'
import { packagesPriced, type RatedPeriod, ratePeriod } from './rate-period.ts'
import type { TaxAmount } from './taxes.ts'
import type { PeriodUsage, QuarantinedUsage } from './usage.ts'

/** An issued period that got usage afterwards, with what issued invoices have booked for it so far. */
export type LatePeriod = { usage: PeriodUsage; booked: Booked }

export type RatedInvoice = {
  currency: string
  lines: InvoiceLine[]
  subtotal: string
  taxes: { partner: string; name: string; percent: string; base: string; amount: string; period?: string }[]
  tax: string
  total: string
  shares: { partner: string; gross: string; partner_share: string; platform_fee: string; tax: string }[]
  usage: { meter: string; package: string | null; quantity: string; amount: string | null }[]
  unpriced: { meter: string; package: string; quantity: string }[]
  /** Of the month and of the late ones that are corrected here. */
  quarantined: (QuarantinedUsage & { period: string })[]
  /** What credits may pay for, by charge. Not part of the invoice's text. */
  parts: Part[]
  /** The packages whose usage of its meter a line prices, by the id of the line that was rated. Not part of the text. */
  packages: ReadonlyMap<string, readonly string[]>
}
/** `shareOf`: the partner's part of its net in percent, by the contract in force in the period. */
export type RatingPolicy = {
  tenant: string
  currency: string
  shareOf: (partner: string, period: string) => string
  /** Whether the period is over, so that minimums are settled. */
  final: boolean
}

/**
 * A tenant's invoice as a pure function of usage, plans and policy: the current period, and what each late one now
 * differs from what was booked for it. Lines sum to the subtotal, subtotal and tax to the total; each partner's net is
 * split by largest remainder, so that gross = partner share + platform fee + tax.
 */
export function rateInvoice(current: PeriodUsage, late: readonly LatePeriod[], policy: RatingPolicy): RatedInvoice {
  const { tenant, currency, final } = policy
  const digits = currencyDigits(currency)
  const text = (value: Decimal) => formatDecimal(value, digits)
  const rated = ratePeriod(current, { tenant, digits, final })
  const lines = linesOf(rated, digits)
  const taxes: (TaxAmount & { period?: string })[] = [...rated.taxes]
  const packages = new Map(packagesPriced(rated, current.subscriptions))
  for (const { usage, booked } of late) {
    const again = ratePeriod(usage, { tenant, digits, final: true })
    for (const [id, priced] of packagesPriced(again, usage.subscriptions)) packages.set(id, priced)
    const changed = difference(again, booked, digits, current.period)
    lines.push(...changed.lines)
    taxes.push(...changed.taxes.map((one) => ({ ...one, period: usage.period })))
  }
  const subtotal = netOf(lines)
  const tax = sum(taxes.map(({ amount }) => amount))
  return {
    currency,
    lines,
    subtotal: text(subtotal),
    taxes: taxes.map(({ base, amount, ...one }) => ({ ...one, base: text(base), amount: text(amount) })),
    tax: text(tax),
    total: text(subtotal + tax),
    shares: sharesOf(lines, taxes, current.period, policy, digits),
    usage: usageOf(rated, digits),
    unpriced: unpricedOf(rated),
    quarantined: [current, ...late.map(({ usage }) => usage)].flatMap(({ period, quarantined = [] }) =>
      quarantined.map((one) => ({ ...one, period })),
    ),
    parts: [...rated.sold.flatMap(({ parts }) => parts), ...lines.slice(rated.lines.length).map(partOf)],
    packages,
  }
}

/** Each partner's part of an invoice. Contracts change, so the net of every period is split by its own. */
function sharesOf(
  lines: readonly InvoiceLine[],
  taxes: readonly (TaxAmount & { period?: string })[],
  current: string,
  { shareOf }: RatingPolicy,
  digits: number,
): RatedInvoice['shares'] {
  const partners = groupBy(lines, ({ partner }) => partner)
  for (const { partner } of taxes) if (!partners.has(partner)) partners.set(partner, [])
  return [...partners].map(([partner, own]) => {
    const split = [...groupBy(own, ({ period }) => period)].map(([period, of]) => {
      const percent = decimal(shareOf(partner, period ?? current))
      return allocate(netOf(of), [percent, decimal('100') - percent], digits) as [Decimal, Decimal]
    })
    const earned = sum(split.map(([part]) => part))
    const fee = sum(split.map(([, part]) => part))
    const tax = sum(taxes.filter((one) => one.partner === partner).map(({ amount }) => amount))
    const text = (value: Decimal) => formatDecimal(value, digits)
    return {
      partner,
      gross: text(earned + fee + tax),
      partner_share: text(earned),
      platform_fee: text(fee),
      tax: text(tax),
    }
  })
}

/** What was used and what it cost, per charge and package: the groups of a charge are shown as one. */
function usageOf(rated: RatedPeriod, digits: number): RatedInvoice['usage'] {
  const lines = linesOf(rated, digits).filter((line) => line.kind === 'usage' && line.quantity !== '0')
  const charges = groupBy(lines, (line) => JSON.stringify([line.package, line.charge]))
  const priced = [...charges.values()].map((own) => {
    const { meter, package: of } = own[0] as InvoiceLine
    const quantity = formatDecimal(sum(own.map((line) => decimal(line.quantity ?? '0'))))
    return { meter: meter as string, package: of ?? null, quantity, amount: formatDecimal(netOf(own), digits) }
  })
  const unpriced = unpricedOf(rated).map((one) => ({ ...one, package: one.package || null, amount: null }))
  return [...priced, ...unpriced]
}

/** A late line as something a credit may pay for: what it is taxed is in the total already. */
const partOf = ({ charge = '', meter, package: of, amount }: InvoiceLine): Part => ({
  charge,
  ...(meter === undefined ? {} : { meter }),
  ...(of === undefined ? {} : { package: of }),
  net: decimal(amount) * SCALE,
  taxes: [],
})

function unpricedOf({ unpriced }: RatedPeriod): RatedInvoice['unpriced'] {
  const groups = groupBy(unpriced, (one) => JSON.stringify([one.meter, one.package]))
  return [...groups.values()].map((group) => {
    const { meter, package: of } = group[0] as (typeof group)[number]
    return { meter, package: of, quantity: formatDecimal(sum(group.map(({ quantity }) => decimal(quantity)))) }
  })
}

const netOf = (lines: readonly InvoiceLine[]): Decimal => sum(lines.map(({ amount }) => decimal(amount)))
const sum = (values: readonly Decimal[]): Decimal => values.reduce((a, b) => a + b, 0n)
