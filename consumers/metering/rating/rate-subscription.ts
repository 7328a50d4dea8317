import { decimal, divideRounded, formatDecimal, roundProduct, SCALE } from '../../../platform/decimal.ts'
import { discountLines } from './discounts.ts'
import { groupBy } from './group-by.ts'
import { daysOf, type InvoiceLine, lineId, type Part, type RatedLine } from './line.ts'
import { measure, type Taken } from './measure.ts'
import type { Charge, MeteredCharge, Plan, RoundingLevel } from './plan.ts'
import { type Exact, priceOf } from './price.ts'
import type { PeriodUsage, PlanVersion, Subscription, Window } from './usage.ts'

export type RatingContext = {
  tenant: string
  digits: number
  /** Overrides the plan's rounding level, for rehearsals. */
  rounding?: RoundingLevel
  /** Whether the period is over: minimums and commitments are settled then, and not before. */
  final: boolean
}
/** One subscription's share of an invoice. Nothing here is taxed yet; discounts are. */
export type RatedSubscription = { subscription: Subscription; level: RoundingLevel; lines: RatedLine[]; parts: Part[] }

/** `span` is the time its price rules, `service` the part of it that the subscription covers. */
type Segment = { version: PlanVersion; first: boolean; windows: number[]; span: Window; service: Window; last: boolean }
type ChargeLines = { charge: Charge; lines: RatedLine[] }

/** Rates a subscription's period from the cumulative usage that it `takes`. Pure. */
export function rateSubscription(
  usage: PeriodUsage,
  subscription: Subscription,
  takes: Taken['takes'],
  context: RatingContext,
): RatedSubscription {
  const segments = segmentsOf(usage, subscription)
  const charges = new Map<string, ChargeLines>()
  for (const segment of segments)
    for (const charge of segment.version.plan.charges) {
      const before = charges.get(charge.id)
      const lines =
        charge.model === 'flat' ? flatLines(charge, segment, before !== undefined) : usageLines(charge, segment)
      charges.set(charge.id, { charge, lines: [...(before?.lines ?? []), ...lines] })
    }
  const plan = (segments.at(-1) ?? { version: subscription.versions.at(-1) as PlanVersion }).version.plan
  const level = context.rounding ?? plan.rounding ?? 'line'
  const bounded = [...charges.values()].map((one) => ({ ...one, lines: [...one.lines, ...boundLines(one)] }))
  const parts = bounded.map(({ charge, lines }): Part => partOf(plan, charge, lines))
  const lines = bounded.flatMap((one) => one.lines)
  const missing = trueUp(plan, parts)
  if (missing) {
    lines.push(missing)
    parts.push({
      charge: 'minimum_commitment',
      package: subscription.package,
      net: netOf([missing]),
      taxes: plan.taxes ?? [],
    })
  }
  lines.push(...discountLines(plan, parts, context.digits, level, ratedLine))
  if (level === 'invoice') lines.push(...roundingLine(lines))
  return { subscription, level, lines, parts }

  /** What a line has in common with every other of the subscription; `names` make its id. */
  function ratedLine(
    kind: InvoiceLine['kind'],
    names: readonly string[],
    exact: Exact,
    more: Partial<InvoiceLine> & { description: string },
  ): RatedLine {
    const line = {
      id: lineId(context.tenant, usage.period, subscription.id, ...names),
      kind,
      package: subscription.package,
      ...more,
      period: usage.period,
      partner: subscription.partner,
    }
    return { line, exact, amount: roundProduct(exact, context.digits) }
  }

  function usageLines(charge: MeteredCharge, segment: Segment): RatedLine[] {
    return measure(charge, usage, { windows: segment.windows, takes }).map(({ group, quantity, records, events }) => {
      const price = priceOf(charge, quantity, records, events)
      const values = Object.values(group)
      const name = charge.description ?? `${subscription.package}: ${charge.meter}`
      return ratedLine(
        'usage',
        names(charge.id, segment, values.length > 0 ? JSON.stringify(group) : ''),
        price.exact,
        {
          charge: charge.id,
          meter: charge.meter,
          ...(values.length === 0 ? {} : { dimensions: group }),
          description: values.length === 0 ? name : `${name} (${values.map((value) => value || 'other').join(', ')})`,
          quantity: formatDecimal(price.quantity),
          ...(price.unitPrice === undefined ? {} : { unit_price: price.unitPrice }),
          ...(price.tiers === undefined ? {} : { tiers: price.tiers }),
          ...versionOf(segment, segment.span),
        },
      )
    })
  }

  /** A fee by the day is due for each price's days; a whole one once a period, at the price it began with. */
  function flatLines(charge: Extract<Charge, { model: 'flat' }>, segment: Segment, billed: boolean): RatedLine[] {
    if (billed && !charge.prorate) return []
    const { days, of } = daysOf(segment.service, usage, segment.last)
    const whole = decimal(charge.flat_amount) * SCALE
    const exact = charge.prorate ? divideRounded(whole * days, of) : whole
    const partly = charge.prorate && days !== of ? ` (${days} of ${of} days)` : ''
    const name = charge.description ?? `${subscription.package}: ${charge.id}`
    const more = {
      charge: charge.id,
      description: `${name}${partly}`,
      ...versionOf(segment, charge.prorate ? segment.service : segment.span),
    }
    return [ratedLine('flat', names(charge.id, segment, ''), exact, more)]
  }

  /** The least and the most that a charge comes to over the whole period, as lines of their own. */
  function boundLines({ charge, lines: own }: ChargeLines): RatedLine[] {
    if (charge.model === 'flat') return []
    const net = netOf(own)
    const least = charge.min_amount === undefined || !context.final ? null : decimal(charge.min_amount) * SCALE
    const most = charge.max_amount === undefined ? null : decimal(charge.max_amount) * SCALE
    const about = { charge: charge.id, meter: charge.meter }
    if (least !== null && net < least) {
      const description = `minimum of ${charge.min_amount} for ${charge.id}`
      return [ratedLine('minimum', [charge.id, 'minimum'], least - net, { ...about, description })]
    }
    if (most === null || net <= most) return []
    const description = `maximum of ${charge.max_amount} for ${charge.id}`
    return [ratedLine('maximum', [charge.id, 'maximum'], most - net, { ...about, description })]
  }

  function partOf(latest: Plan, charge: Charge, own: readonly RatedLine[]): Part {
    const about = charge.model === 'flat' ? {} : { meter: charge.meter }
    const { package: of } = subscription
    return { charge: charge.id, ...about, package: of, net: netOf(own), taxes: charge.taxes ?? latest.taxes ?? [] }
  }

  /** What the plan's least spend lacks, by the days of the subscription when those are not the whole period. */
  function trueUp(latest: Plan, all: readonly Part[]): RatedLine | null {
    if (latest.minimum_commitment === undefined || !context.final) return null
    const service = serviceOf(usage, subscription, usage)
    const { days, of } = daysOf(service, usage, true)
    const committed =
      roundProduct(divideRounded(decimal(latest.minimum_commitment) * SCALE * days, of), context.digits) * SCALE
    const spent = all.reduce((sum, { net }) => sum + net, 0n)
    if (spent >= committed) return null
    const partly = days === of ? '' : ` (${days} of ${of} days)`
    const description = `${subscription.package}: minimum commitment of ${latest.minimum_commitment}${partly}`
    return ratedLine('commitment', ['minimum_commitment'], committed - spent, { description })
  }

  /** What rounding once differs from rounding every line: without it the lines would not add up. */
  function roundingLine(all: readonly RatedLine[]): RatedLine[] {
    const exact = all.reduce((sum, one) => sum + one.exact, 0n)
    const shown = all.reduce((sum, one) => sum + one.amount, 0n)
    const difference = roundProduct(exact, context.digits) - shown
    if (difference === 0n) return []
    return [
      ratedLine('rounding', ['rounding'], difference * SCALE, { description: `${subscription.package}: rounding` }),
    ]
  }

  function netOf(own: readonly RatedLine[]): Exact {
    return own.reduce((sum, { exact, amount }) => sum + (level === 'line' ? amount * SCALE : exact), 0n)
  }

  /** The price a period began with names its lines plainly: a later version must not rename them. */
  function names(charge: string, segment: Segment, group: string): string[] {
    return [charge, ...(segment.first ? [] : [segment.version.id]), ...(group === '' ? [] : [group])]
  }

  function versionOf({ version }: Segment, { from, to }: Window): Partial<InvoiceLine> {
    const whole = from <= usage.from && to >= usage.to
    return {
      price_version: version.id,
      ...(whole ? {} : { from: from.toISOString(), to: to.toISOString() }),
    }
  }
}

/** The plan versions that price a period, each with the windows that are its own. */
function segmentsOf(usage: PeriodUsage, subscription: Subscription): Segment[] {
  const { versions } = subscription
  const ruling = (window: Window) =>
    versions.findLast(({ effective_from }) => effective_from <= window.from) ?? versions[0]
  const named = usage.windows.map((window, index) => ({ index, version: ruling(window) as PlanVersion }))
  const groups = [...groupBy(named, ({ version }) => version.id).values()]
  return groups.map((group, place): Segment => {
    const windows = group.map(({ index }) => index)
    const span = {
      from: (usage.windows[windows[0] as number] as Window).from,
      to: (usage.windows[windows.at(-1) as number] as Window).to,
    }
    const { version } = group[0] as (typeof group)[number]
    const service = serviceOf(span, subscription, usage)
    return {
      version,
      first: place === 0,
      windows,
      span,
      service,
      last: service.to < span.to || place === groups.length - 1,
    }
  })
}

/** The part of a span that the subscription covers. */
function serviceOf(span: Window, { starts_at, ends_at }: Subscription, period: Window): Window {
  const from = starts_at && starts_at > span.from && starts_at < period.to ? starts_at : span.from
  const to = ends_at && ends_at < span.to ? ends_at : span.to
  return { from, to: to < from ? from : to }
}
