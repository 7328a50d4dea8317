import { createHash } from 'node:crypto'
import { allocate, type Decimal, decimal, formatDecimal, multiply, roundTo } from '../../../platform/decimal.ts'
import { currencyDigits } from './currency.ts'
import type { Charge, Plan } from './plan.ts'
import { type RatedTier, rateCharge } from './rate-charge.ts'

/** A tenant's month: what it used, and what it is subscribed to. `package` is '' where the report named none. */
export type UsageTotal = { meter: string; package: string; quantity: string }
export type Subscription = { id: string; partner: string; package: string; plan: Plan }
export type PeriodUsage = { period: string; subscriptions: readonly Subscription[]; usage: readonly UsageTotal[] }
/** An issued month that got usage afterwards, with what was billed for it so far, by line id. */
export type LatePeriod = PeriodUsage & { billed: ReadonlyMap<string, string> }

export type InvoiceLine = {
  id: string
  kind: 'usage' | 'flat' | 'adjustment'
  meter?: string
  package?: string
  description: string
  quantity?: string
  unit_price?: string
  tiers?: RatedTier[]
  amount: string
  period: string
  partner: string
}
export type RatedInvoice = {
  currency: string
  lines: InvoiceLine[]
  subtotal: string
  taxes: { name: string; percent: string; base: string; amount: string }[]
  tax: string
  total: string
  shares: { partner: string; gross: string; partner_share: string; platform_fee: string; tax: string }[]
  usage: { meter: string; package: string | null; quantity: string; amount: string | null }[]
  unpriced: UsageTotal[]
}
export type RatingPolicy = { currency: string; partnerSharePercent: string }

type RatedLine = { line: InvoiceLine; plan: Plan }
type Attributed = { subscription: Subscription; charge: Charge; quantity: Decimal }

/**
 * A tenant's invoice as a pure function of usage, plans and policy: each line is rounded, so the sum of the lines is
 * the subtotal; tax is rounded once per rate; each partner's net is split by largest remainder.
 */
export function rateInvoice(
  tenant: string,
  current: PeriodUsage,
  late: readonly LatePeriod[],
  policy: RatingPolicy,
): RatedInvoice {
  const digits = currencyDigits(policy.currency)
  const text = (value: Decimal) => formatDecimal(value, digits)
  const { charges, unpriced } = attribute(current)
  const rated = charges.map(
    (one): RatedLine => ({ line: lineOf(tenant, current.period, one, digits), plan: one.subscription.plan }),
  )
  for (const period of late) rated.push(...adjustments(tenant, period, digits))
  const lines = rated.map(({ line }) => line)
  const taxes = taxesOf(rated, digits)
  const nets = [...groupBy(lines, ({ partner }) => partner)].map(([partner, own]) => ({ partner, net: netOf(own) }))
  const subtotal = netOf(lines)
  const tax = sum(taxes.map(({ amount }) => amount))
  const share = decimal(policy.partnerSharePercent)
  return {
    currency: policy.currency,
    lines,
    subtotal: text(subtotal),
    taxes: taxes.map((one) => ({
      name: one.name,
      percent: one.percent,
      base: text(one.base),
      amount: text(one.amount),
    })),
    tax: text(tax),
    total: text(subtotal + tax),
    shares: nets.map(({ partner, net }) => {
      const [earned, fee] = allocate(net, [share, decimal('100') - share], digits) as [Decimal, Decimal]
      const ownTax = sum(taxes.filter((one) => one.partner === partner).map(({ amount }) => amount))
      const gross = text(net + ownTax)
      return { partner, gross, partner_share: text(earned), platform_fee: text(fee), tax: text(ownTax) }
    }),
    usage: usageOf(current, charges, lines),
    unpriced,
  }
}

/** A line keeps its id from the first live look to the issued invoice, so links to it stay good. */
export function lineId(tenant: string, period: string, subscriptionId: string, chargeId: string): string {
  const hex = createHash('sha256').update([tenant, period, subscriptionId, chargeId].join('\n')).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Which charge prices which usage: the package's own subscription, or the oldest that knows the meter. */
export function attribute({ subscriptions, usage }: PeriodUsage): { charges: Attributed[]; unpriced: UsageTotal[] } {
  const charges: Attributed[] = subscriptions.flatMap((subscription) =>
    subscription.plan.charges.map((charge) => ({ subscription, charge, quantity: 0n })),
  )
  const unpriced: UsageTotal[] = []
  for (const total of usage) {
    const found = charges.filter(
      ({ subscription, charge }) =>
        charge.model !== 'flat' &&
        charge.meter === total.meter &&
        (total.package === '' || subscription.package === total.package),
    )
    const first = found[0]
    if (!first) {
      unpriced.push(total)
      continue
    }
    // One meter may feed several charges of the same subscription, never of two.
    for (const one of found) if (one.subscription.id === first.subscription.id) one.quantity += decimal(total.quantity)
  }
  return { charges, unpriced }
}

function lineOf(
  tenant: string,
  period: string,
  { subscription, charge, quantity }: Attributed,
  digits: number,
): InvoiceLine {
  const rated = rateCharge(charge, quantity, digits)
  return {
    id: lineId(tenant, period, subscription.id, charge.id),
    kind: charge.model === 'flat' ? 'flat' : 'usage',
    ...(charge.model === 'flat' ? {} : { meter: charge.meter }),
    package: subscription.package,
    description: charge.description ?? `${subscription.package}: ${charge.model === 'flat' ? charge.id : charge.meter}`,
    ...(charge.model === 'flat' ? {} : { quantity: formatDecimal(quantity) }),
    ...(rated.unitPrice === undefined ? {} : { unit_price: rated.unitPrice }),
    ...(rated.tiers === undefined ? {} : { tiers: rated.tiers }),
    amount: formatDecimal(rated.amount, digits),
    period,
    partner: subscription.partner,
  }
}

/** What late usage changes: the month rated again from all its usage, less what was billed for it. */
function adjustments(tenant: string, late: LatePeriod, digits: number): RatedLine[] {
  return attribute(late)
    .charges.map((one) => {
      const line = lineOf(tenant, late.period, one, digits)
      const delta = decimal(line.amount) - decimal(late.billed.get(line.id) ?? '0')
      const { tiers: _tiers, unit_price: _price, ...rest } = line
      const description = `${line.description} (late usage of ${late.period})`
      const adjusted = { ...rest, kind: 'adjustment' as const, description, amount: formatDecimal(delta, digits) }
      return { line: adjusted, plan: one.subscription.plan }
    })
    .filter(({ line }) => decimal(line.amount) !== 0n)
}

/** Tax is rounded once per partner and rate, on the sum of the lines it applies to. */
function taxesOf(rated: readonly RatedLine[], digits: number) {
  const taxed = rated.flatMap(({ line, plan }) => (plan.taxes ?? []).map((tax) => ({ line, ...tax })))
  const groups = groupBy(taxed, ({ line, name, percent }) => JSON.stringify([line.partner, name, percent]))
  return [...groups.values()].map((group) => {
    const { line, name, percent } = group[0] as (typeof group)[number]
    const base = netOf(group.map((one) => one.line))
    const amount = roundTo(multiply(base, decimal(percent) / 100n), digits)
    return { partner: line.partner, name, percent, base, amount }
  })
}

function usageOf(current: PeriodUsage, charges: readonly Attributed[], lines: readonly InvoiceLine[]) {
  const priced = charges.flatMap((one, index) => {
    const line = lines[index] as InvoiceLine
    if (one.charge.model === 'flat') return []
    const { meter } = one.charge
    return [{ meter, package: one.subscription.package, quantity: formatDecimal(one.quantity), amount: line.amount }]
  })
  const { unpriced } = attribute(current)
  return [
    ...priced.filter(({ quantity }) => quantity !== '0'),
    ...unpriced.map((total) => ({ ...total, package: total.package || null, amount: null })),
  ]
}

const netOf = (lines: readonly InvoiceLine[]): Decimal => sum(lines.map(({ amount }) => decimal(amount)))
const sum = (values: readonly Decimal[]): Decimal => values.reduce((a, b) => a + b, 0n)

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group) group.push(item)
    else groups.set(key(item), [item])
  }
  return groups
}
