import type { RatedLine } from './line.ts'
import { passes } from './measure.ts'
import { type RatedSubscription, type RatingContext, rateSubscription } from './rate-subscription.ts'
import { type TaxAmount, taxesOf } from './taxes.ts'
import type { PeriodUsage, Subscription, UsageTotal } from './usage.ts'

/** A tenant's period rated from all its usage: what issued invoices must come to, however many it took. */
export type RatedPeriod = {
  period: string
  lines: RatedLine[]
  taxes: TaxAmount[]
  sold: RatedSubscription[]
  unpriced: UsageTotal[]
}

type Used = Pick<UsageTotal, 'meter' | 'package' | 'dimensions'>

/** Pure: the same usage, plans and policy give the same period, in whatever order the usage comes. */
export function ratePeriod(usage: PeriodUsage, context: RatingContext): RatedPeriod {
  const payer = payers(usage.subscriptions)
  const sold = usage.subscriptions.map((subscription) =>
    rateSubscription(usage, subscription, (meter, name) => payer(meter, name) === subscription, context),
  )
  const taxed = sold.map(({ subscription, level, parts }) => ({ partner: subscription.partner, level, parts }))
  return {
    period: usage.period,
    lines: sold.flatMap(({ lines }) => lines),
    taxes: taxesOf(taxed, context.digits),
    sold,
    unpriced: unpricedAmong(usage.subscriptions, usage.totals),
  }
}

/** Those of the usage that no charge of any subscription prices. */
export function unpricedAmong<T extends Used>(subscriptions: readonly Subscription[], usage: readonly T[]): T[] {
  const payer = payers(subscriptions)
  return usage.filter((one) => {
    const subscription = payer(one.meter, one.package)
    return subscription === undefined || !prices(subscription, one)
  })
}

/**
 * Which subscription pays for usage of a meter: that of the package itself; usage that names no package is paid by the
 * oldest that knows the meter. One meter may feed several charges of a subscription, never of two.
 */
export function payers(
  subscriptions: readonly Subscription[],
): (meter: string, name: string) => Subscription | undefined {
  const meters = new Map(subscriptions.map((one) => [one, new Set(chargesOf(one).map(({ meter }) => meter))]))
  return (meter, name) =>
    subscriptions.find((one) => (name === '' || name === one.package) && meters.get(one)?.has(meter) === true)
}

/** The packages whose usage of its meter a line prices, by the line's id. */
export const packagesPriced = ({ sold }: RatedPeriod, subscriptions: readonly Subscription[]) => {
  const payer = payers(subscriptions)
  return sold.flatMap(({ subscription, lines }) =>
    lines.map(({ line: { id, meter } }): [line: string, packages: string[]] => [
      id,
      meter === undefined ? [] : ['', subscription.package].filter((name) => payer(meter, name) === subscription),
    ]),
  )
}

const prices = (subscription: Subscription, { meter, dimensions }: Used): boolean =>
  chargesOf(subscription).some((charge) => charge.meter === meter && passes(charge, dimensions))

const chargesOf = ({ versions }: Subscription) =>
  versions.flatMap(({ plan }) => plan.charges).flatMap((charge) => (charge.model === 'flat' ? [] : [charge]))
