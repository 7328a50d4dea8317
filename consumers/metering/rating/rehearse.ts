import { type Decimal, decimal, formatDecimal } from '../../../platform/decimal.ts'
import { periodBounds, periodOf } from '../../../platform/utc-time.ts'
import { type Collected, collector, type UsageRecord } from './collect.ts'
import { type CreditUse, creditsUsed, type PrepaidCredit } from './credits.ts'
import { currencyDigits } from './currency.ts'
import { type Booked, bookedBy, difference, linesOf, nothingBooked } from './delta.ts'
import { keptBy } from './kept.ts'
import type { InvoiceLine, Part } from './line.ts'
import type { Plan, RoundingLevel } from './plan.ts'
import { ratePeriod } from './rate-period.ts'
import type { TaxAmount } from './taxes.ts'
import { type PeriodUsage, type Subscription, type Window, windowsOf } from './usage.ts'

/** A record with the time it arrived: a billing run before that does not know it. */
export type ArrivedRecord = UsageRecord & { received_at: string }
export type Rehearsal = {
  subscription: Subscription
  records: readonly ArrivedRecord[]
  /** Null for the calendar months that the records fall into (the one of `now` without any). */
  period: Window | null
  /** Null for one run after everything; the plan's thresholds make runs of their own then. */
  runs: readonly Date[] | null
  rounding?: RoundingLevel
  now: Date
}
export type RehearsedBill = {
  currency: string
  lines: Omit<InvoiceLine, 'partner'>[]
  subtotal: string
  taxes: { name: string; percent: string; base: string; amount: string }[]
  tax: string
  total: string
  credits_applied: string
  amount_due: string
}
export type RehearsedRun = RehearsedBill & { at: string; threshold?: string }

type Open = {
  window: Window
  name: string
  booked: Booked
  seen: InvoiceLine[]
  parts: Map<string, bigint>
  usage: ReturnType<typeof collector>
}

/** What plans would bill for usage, in one run or in several: the same rating as invoices, nothing stored. Pure. */
export function rehearse(rehearsal: Rehearsal): RehearsedBill & { runs?: RehearsedRun[] } {
  const plan = rehearsal.subscription.versions.at(-1)?.plan as Plan
  const digits = currencyDigits(plan.currency)
  const arrived = [...rehearsal.records].sort((a, b) => Date.parse(a.received_at) - Date.parse(b.received_at))
  const once = biller(rehearsal, digits)
  for (const record of arrived) once.take(record)
  const whole = once.bill(null)
  if (rehearsal.runs) return { ...whole, runs: inRuns(rehearsal, arrived, rehearsal.runs, digits) }
  const crossed = plan.thresholds ? thresholdRuns(rehearsal, plan.thresholds, arrived, digits) : []
  return plan.thresholds ? { ...whole, runs: crossed } : whole
}

function inRuns(
  rehearsal: Rehearsal,
  arrived: readonly ArrivedRecord[],
  runs: readonly Date[],
  digits: number,
): RehearsedRun[] {
  const { take, bill } = biller(rehearsal, digits)
  let next = 0
  return [...runs]
    .sort((a, b) => a.getTime() - b.getTime())
    .map((at) => {
      for (; next < arrived.length && Date.parse(arrived[next]?.received_at as string) <= at.getTime(); next += 1)
        take(arrived[next] as ArrivedRecord)
      return { at: at.toISOString(), ...bill(at) }
    })
}

/** Bills as soon as what was used, before tax, reaches the next threshold, and once more when the period is over. */
function thresholdRuns(
  rehearsal: Rehearsal,
  thresholds: NonNullable<Plan['thresholds']>,
  arrived: readonly ArrivedRecord[],
  digits: number,
): RehearsedRun[] {
  const { take, bill, spent, ends } = biller(rehearsal, digits)
  const steps = thresholds.map((one) => (typeof one === 'string' ? { amount: one } : one))
  const fixed = steps
    .filter(({ recurring }) => !recurring)
    .map(({ amount }) => decimal(amount))
    .sort((a, b) => (a < b ? -1 : 1))
  const recurring = steps.filter((one) => one.recurring).map(({ amount }) => decimal(amount))[0]
  const last = fixed.at(-1) ?? 0n
  const above = (used: Decimal): Decimal | undefined =>
    fixed.find((one) => one > used) ??
    (recurring === undefined ? undefined : last + ((used - last) / recurring + 1n) * recurring)
  const runs: RehearsedRun[] = []
  let next = above(0n)
  for (const record of arrived) {
    take(record)
    const used = spent(new Date(record.received_at))
    if (next === undefined || used < next) continue
    next = above(used)
    const reached = fixed.findLast((one) => one <= used)
    const threshold =
      recurring === undefined || used < last + recurring
        ? (reached ?? last)
        : last + ((used - last) / recurring) * recurring
    runs.push({ at: record.received_at, threshold: formatDecimal(threshold), ...bill(new Date(record.received_at)) })
  }
  return [...runs, { at: ends().toISOString(), ...bill(ends()) }]
}

/** The state that successive runs share: what is booked, what credits are left. A `bill` of null is of everything. */
function biller({ subscription, records, period, rounding, now }: Rehearsal, digits: number) {
  const kept = keptBy(subscription.versions.map(({ plan }) => plan))
  const open = periodsOf(records, period, now).map((window): Open & { windows: Window[] } => {
    const windows = windowsOf(window.from, window.to, [subscription])
    return {
      window,
      windows,
      name: nameOf(window),
      booked: nothingBooked,
      seen: [],
      parts: new Map(),
      usage: collector(windows, kept),
    }
  })
  const plan = subscription.versions.at(-1)?.plan as Plan
  const { currency } = plan
  const credits = creditsOf(plan, digits)
  const ends = () => (open.at(-1) as Open).window.to

  function take(record: UsageRecord): void {
    for (const { usage } of open) usage.add(record)
  }
  function rate(one: Open & { windows: Window[] }, final: boolean) {
    return ratePeriod(usageOf(one, one.usage.collected()), {
      tenant: 'rehearsal',
      digits,
      final,
      ...(rounding ? { rounding } : {}),
    })
  }
  function usageOf({ window, windows, name }: Open & { windows: Window[] }, collected: Collected): PeriodUsage {
    return { period: name, ...window, windows, subscriptions: [subscription], ...collected }
  }
  function spent(at: Date): Decimal {
    const lines = open.filter(({ window }) => window.from <= at).flatMap((one) => rate(one, false).lines)
    return lines.reduce((sum, { amount }) => sum + amount, 0n)
  }

  function bill(at: Date | null): RehearsedBill {
    const lines: InvoiceLine[] = []
    const taxes: TaxAmount[] = []
    const parts: Part[] = []
    for (const one of open) {
      if (at && one.window.from > at) continue
      const rated = rate(one, at === null || at >= one.window.to)
      const first = one.seen.length === 0
      const changed = first
        ? { lines: linesOf(rated, digits), taxes: rated.taxes }
        : difference(rated, one.booked, digits, at?.toISOString() ?? '')
      lines.push(...changed.lines)
      taxes.push(...changed.taxes)
      for (const part of rated.sold.flatMap((sold) => sold.parts)) {
        parts.push({ ...part, net: part.net - (one.parts.get(part.charge) ?? 0n) })
        one.parts.set(part.charge, part.net)
      }
      one.seen.push(...changed.lines)
      one.booked = bookedBy(one.seen, [...one.booked.taxes, ...changed.taxes.map((tax) => taxText(tax, digits))])
    }
    return billOf(lines, taxes, parts, at ?? ends())
  }

  function billOf(
    lines: readonly InvoiceLine[],
    taxes: readonly TaxAmount[],
    parts: readonly Part[],
    at: Date,
  ): RehearsedBill {
    const text = (value: Decimal) => formatDecimal(value, digits)
    const subtotal = lines.reduce((sum, { amount }) => sum + decimal(amount), 0n)
    const tax = taxes.reduce((sum, { amount }) => sum + amount, 0n)
    const total = subtotal + tax
    const paid = payFrom(credits, creditsUsed(total, parts, credits, at, digits))
    return {
      currency,
      lines: lines.map(({ partner: _partner, ...line }) => line),
      subtotal: text(subtotal),
      taxes: taxes
        .map((one) => taxText(one, digits))
        .map(({ name, percent, base, amount }) => ({ name, percent, base, amount })),
      tax: text(tax),
      total: text(total),
      credits_applied: text(paid),
      amount_due: text(total - paid),
    }
  }

  return { take, bill, spent, ends }
}

const taxText = ({ base, amount, ...one }: TaxAmount, digits: number) => ({
  ...one,
  base: formatDecimal(base, digits),
  amount: formatDecimal(amount, digits),
})

function creditsOf(plan: Plan, digits: number): PrepaidCredit[] {
  const unit = 10n ** BigInt(12 - digits)
  return (plan.credits ?? []).map(({ amount, priority = 0, expires_at, applies_to }, index) => ({
    id: String(index).padStart(3, '0'),
    // A fraction of the smallest coin cannot be paid with.
    left: (decimal(amount) / unit) * unit,
    priority,
    expires_at: expires_at === undefined ? null : new Date(expires_at),
    ...(applies_to === undefined ? {} : { applies_to }),
  }))
}

function payFrom(credits: PrepaidCredit[], uses: readonly CreditUse[]): Decimal {
  for (const { id, amount } of uses) {
    const credit = credits.find((one) => one.id === id) as PrepaidCredit
    credit.left -= amount
  }
  return uses.reduce((sum, { amount }) => sum + amount, 0n)
}

/** The calendar months of the records, the current one without any; or the one period that was asked for. */
function periodsOf(records: readonly UsageRecord[], period: Window | null, now: Date): Window[] {
  if (period) return [period]
  const months = new Set(records.map(({ time }) => periodOf(new Date(time))))
  if (months.size === 0) months.add(periodOf(now))
  // Months between two with usage are billed too: fees and held levels go on.
  const sorted = [...months].sort()
  const windows: Window[] = []
  for (let at = periodBounds(sorted[0] as string); ; at = periodBounds(periodOf(at.end))) {
    windows.push({ from: at.start, to: at.end })
    if (periodOf(at.start) === sorted.at(-1)) return windows
  }
}

/** A calendar month by its name, any other span by its ends. */
function nameOf({ from, to }: Window): string {
  const month = periodOf(from)
  const { start, end } = periodBounds(month)
  return start.getTime() === from.getTime() && end.getTime() === to.getTime()
    ? month
    : `${from.toISOString()}/${to.toISOString()}`
}
