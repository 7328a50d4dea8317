import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { currencyDigits } from '../../../consumers/metering/rating/currency.ts'
import type { Charge, Plan } from '../../../consumers/metering/rating/plan.ts'
import { type ArrivedRecord, type Rehearsal, rehearse } from '../../../consumers/metering/rating/rehearse.ts'
import type { PlanVersion } from '../../../consumers/metering/rating/usage.ts'
import { allocate, decimal, formatDecimal } from '../../../platform/decimal.ts'

type Scenario<P, U, E> = { name: string; pricing: P; usage: U; expected: E }
type Cases<E> = { cases: Record<string, E> }
type Tiers = { up_to: string | null; unit: string; flat: string }[]

const folder = process.env.ATOM_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url))
const file = join(folder, 'data', 'billing', 'scenarios.json')

const used = (meter: string, quantity: string, time: string, more: Partial<ArrivedRecord> = {}): ArrivedRecord => ({
  id: `${meter} ${time} ${quantity}`,
  meter,
  quantity,
  time,
  received_at: time,
  ...more,
})
const version = (plan: Plan, from = '1970-01-01T00:00:00Z'): PlanVersion => ({
  id: from.slice(0, 10),
  effective_from: new Date(from),
  plan,
})
const bill = (plan: Plan | PlanVersion[], records: readonly ArrivedRecord[], more: Partial<Rehearsal> = {}) =>
  rehearse({
    subscription: {
      id: 's',
      partner: 'demo',
      package: 'x',
      starts_at: null,
      ends_at: null,
      versions: Array.isArray(plan) ? plan : [version(plan)],
    },
    records,
    period: null,
    runs: null,
    now: new Date('2026-11-20T00:00:00Z'),
    ...more,
  })
const tiersOf = (tiers: Tiers) =>
  tiers.map(({ up_to, unit, flat }) => ({ up_to, unit_amount: unit, flat_amount: flat }))
const DAY = '2026-11-10T00:00:00.000Z'

describe('consumers/metering: numeric cases of public billing systems', () => {
  if (!existsSync(file)) {
    it('are not on this machine')
    console.warn(
      `SKIPPED: the numeric billing cases are NOT tested, ${file} is not there (ATOM_SHARED names the folder)`,
    )
    return
  }
  const scenarios = JSON.parse(readFileSync(file, 'utf8')) as Scenario<unknown, unknown, unknown>[]
  const scenario = <P, U, E>(name: string): Scenario<P, U, E> => {
    const found = scenarios.find((one) => one.name === name)
    if (!found) throw new Error(`${file} has no scenario ${name}`)
    return found as Scenario<P, U, E>
  }

  describe('late usage reprices a volume tier', () => {
    type Run = { lines?: { quantity: string; unit: string }[]; total: string }
    const { pricing, usage, expected } = scenario<
      { tiers: Tiers; schedules: Record<string, { max_spend?: string }> },
      { case: string; runs: { cumulative: string }[] }[],
      Cases<{ runs: Run[]; net: string }>
    >('late-usage-reprices-volume-tier-as-reversal-plus-new-line')
    for (const { case: name, runs } of usage)
      it(name, () => {
        const most = pricing.schedules[name]?.max_spend
        const charge: Charge = {
          id: 'a',
          model: 'volume',
          meter: 'm',
          tiers: tiersOf(pricing.tiers),
          ...(most === undefined ? {} : { max_amount: most }),
        }
        const at = runs.map((_, run) => `2026-11-${10 + run}T00:00:00.000Z`)
        const records = runs.map(({ cumulative }, run) => {
          const more = decimal(cumulative) - decimal(runs[run - 1]?.cumulative ?? '0')
          return used('m', formatDecimal(more), `2026-11-01T00:00:0${run}.000Z`, { received_at: at[run] as string })
        })
        const plan: Plan = { name: 'p', currency: 'USD', charges: [charge] }
        const answer = bill(plan, records, { runs: at.map((time) => new Date(time)) })
        const want = expected.cases[name] as { runs: Run[]; net: string }
        expect(answer.runs?.map(({ total }) => total)).to.deep.equal(want.runs.map(({ total }) => total))
        for (const [run, { lines }] of want.runs.entries()) {
          const booked = answer.runs?.[run]?.lines.filter(({ unit_price }) => unit_price !== undefined)
          if (lines)
            expect(booked?.map(({ quantity, unit_price }) => [quantity, unit_price])).to.deep.equal(
              lines.map(({ quantity, unit }) => [quantity, unit]),
            )
        }
        expect(answer.total).to.equal(want.net)
      })
  })

  describe('graduated tiers', () => {
    type Case = { case: string; schedule: string; quantity?: string; events?: number; aggregation?: 'count' | 'sum' }
    const { pricing, usage, expected } = scenario<
      { currency: string; schedules: Record<string, Tiers>; tax_percent: Record<string, string> },
      Case[],
      Cases<{ amount: string; total_with_tax?: string }>
    >('graduated-with-flat-per-tier-and-tax')
    for (const { case: name, schedule, quantity, events = 0, aggregation = 'sum' } of usage)
      it(name, () => {
        const percent = pricing.tax_percent[schedule]
        const plan: Plan = {
          name: 'p',
          currency: pricing.currency,
          charges: [
            {
              id: 'a',
              model: 'graduated',
              meter: 'm',
              aggregation,
              tiers: tiersOf(pricing.schedules[schedule] as Tiers),
            },
          ],
          taxes: percent === undefined ? [] : [{ name: 'VAT', percent }],
        }
        const records = quantity === undefined ? Array.from({ length: events }, () => '7') : [quantity]
        const answer = bill(
          plan,
          records.map((one, n) => used('m', one, DAY, { id: String(n) })),
        )
        const want = expected.cases[name] as { amount: string; total_with_tax?: string }
        expect(answer.subtotal).to.equal(want.amount)
        if (want.total_with_tax !== undefined) expect(answer.total).to.equal(want.total_with_tax)
      })
  })

  describe('revenue split by largest remainder', () => {
    const { usage, expected } = scenario<
      unknown,
      { case: string; currency: string; amount: string; weights: string[] }[],
      Cases<{ shares: string[] }>
    >('revenue-split-largest-remainder')
    for (const { case: name, currency, amount, weights } of usage)
      it(name, () => {
        const digits = currency.includes('4dp') ? 4 : currencyDigits(currency)
        const shares = allocate(decimal(amount), weights.map(decimal), digits).map((share) =>
          formatDecimal(share, digits),
        )
        expect(shares).to.deep.equal(expected.cases[name]?.shares)
      })
  })

  describe('percentage with a fixed amount per event and free allowances', () => {
    const { pricing, usage, expected } = scenario<
      {
        currency: string
        rate_percent: string
        fixed_per_event: string
        tax_percent: string
        schedules: Record<string, { free_events?: number; free_total?: string }>
      },
      { case: string; schedule: string; events: string[] }[],
      Cases<{ after_each_event: { amount: string; with_tax?: string }[] }>
    >('percentage-with-fixed-fee-per-event-and-free-allowances')
    for (const { case: name, schedule, events } of usage)
      it(name, () => {
        const { free_events, free_total } = pricing.schedules[schedule] as { free_events?: number; free_total?: string }
        const charge: Charge = {
          id: 'a',
          model: 'percentage',
          meter: 'm',
          rate_percent: pricing.rate_percent,
          fixed_amount: pricing.fixed_per_event,
          ...(free_events === undefined ? {} : { free_events }),
          ...(free_total === undefined ? {} : { free_amount: free_total }),
        }
        const taxes = [{ name: 'VAT', percent: pricing.tax_percent }]
        const plan: Plan = { name: 'p', currency: pricing.currency, charges: [charge], taxes }
        for (const [index, want] of (expected.cases[name]?.after_each_event ?? []).entries()) {
          const records = events
            .slice(0, index + 1)
            .map((quantity, n) => used('m', quantity, `2026-11-10T00:00:0${n}.000Z`))
          const { subtotal, total } = bill(plan, records)
          expect(subtotal, `after event ${index}`).to.equal(want.amount)
          if (want.with_tax !== undefined) expect(total).to.equal(want.with_tax)
        }
      })
  })

  it('three fixed discounts and two tax rates, tax rounded once', () => {
    const { pricing, usage, expected } = scenario<
      {
        currency: string
        charges: { id: string; unit: string; tax_percent: string }[]
        coupons_in_order: { amount: string; applies_to: string[] | 'all' }[]
      },
      { charge: string; quantity: string }[],
      { subtotal_excl_tax: string; tax: string; total: string; coupons: string }
    >('three-fixed-coupons-two-tax-rates-invoice-level-tax-rounding')
    const plan: Plan = {
      name: 'p',
      currency: pricing.currency,
      rounding: 'invoice',
      charges: pricing.charges.map(({ id, unit, tax_percent }) => ({
        id,
        model: 'per_unit',
        meter: id,
        unit_amount: unit,
        taxes: [{ name: `tax ${tax_percent}`, percent: tax_percent }],
      })),
      discounts: pricing.coupons_in_order.map(({ amount, applies_to }) => ({
        amount,
        ...(applies_to === 'all' ? {} : { applies_to }),
      })),
    }
    const answer = bill(
      plan,
      usage.map(({ charge, quantity }) => used(charge, quantity, DAY)),
    )
    expect([answer.subtotal, answer.tax, answer.total]).to.deep.equal([
      expected.subtotal_excl_tax,
      expected.tax,
      expected.total,
    ])
  })

  it('prepaid credits limited to meters, tax included', () => {
    const { pricing, usage, expected } = scenario<
      {
        currency: string
        charges: { metric: string; unit: string; tax_percent?: string }[]
        wallet: { granted: string; applies_to: string[] }
      },
      { event: string }[],
      { invoices: { wallet_used: string; subtotal_with_tax?: string; total_due?: string }[] }
    >('prepaid-wallet-limited-to-metrics-with-tax')
    const plan: Plan = {
      name: 'p',
      currency: pricing.currency,
      charges: pricing.charges.map(({ metric, unit, tax_percent }) => ({
        id: metric,
        model: 'per_unit',
        meter: metric,
        unit_amount: unit,
        taxes: tax_percent === undefined ? [] : [{ name: 'VAT', percent: tax_percent }],
      })),
      credits: [{ amount: pricing.wallet.granted, applies_to: pricing.wallet.applies_to }],
    }
    const at = usage.map((_, n) => `2026-11-${10 + n}T00:00:00.000Z`)
    const records = usage.map(({ event }, n) => used(event, '1', at[n] as string))
    const { runs } = bill(plan, records, { runs: at.map((time) => new Date(time)) })
    for (const [n, want] of expected.invoices.entries()) {
      expect(runs?.[n]?.credits_applied, `invoice ${n}`).to.equal(want.wallet_used)
      if (want.subtotal_with_tax !== undefined) expect(runs?.[n]?.total).to.equal(want.subtotal_with_tax)
      if (want.total_due !== undefined) expect(runs?.[n]?.amount_due).to.equal(want.total_due)
    }
  })

  it('a time-weighted sum carried across periods', () => {
    const { pricing, usage, expected } = scenario<
      { currency: string; unit: string },
      { at?: string; delta?: string }[],
      Record<'march' | 'april', { units: string; amount: string }>
    >('time-weighted-sum-carried-across-periods')
    const charges: Charge[] = [
      { id: 'a', model: 'per_unit', meter: 'm', unit_amount: pricing.unit, aggregation: 'weighted_sum' },
    ]
    const records = usage.flatMap(({ at, delta }) => (delta ? [used('m', delta, `${at}T00:00:00.000Z`)] : []))
    const { lines } = bill({ name: 'p', currency: pricing.currency, charges }, records)
    expect(lines.map(({ period, amount }) => [period, amount])).to.deep.equal([
      ['2023-03', expected.march.amount],
      ['2023-04', expected.april.amount],
    ])
    expect(lines.map(({ quantity }) => quantity?.slice(0, 12))).to.deep.equal([
      expected.march.units.slice(0, 12),
      expected.april.units.slice(0, 12),
    ])
  })

  it('a price that changes inside a period', () => {
    const { pricing, usage, expected } = scenario<
      { currency: string; versions: { effective: string; unit: string }[] },
      { at?: string; quantity?: string }[],
      { invoices: { items: { period: string[]; amount: string; price_version?: string }[] }[] }
    >('price-version-change-inside-a-period')
    const versions = pricing.versions.map(({ effective, unit }) =>
      version(
        {
          name: 'p',
          currency: pricing.currency,
          charges: [{ id: 'a', model: 'per_unit', meter: 'm', unit_amount: unit }],
        },
        `${effective}T00:00:00Z`,
      ),
    )
    const records = usage.flatMap(({ at, quantity }) => (quantity ? [used('m', quantity, `${at}T00:00:00.000Z`)] : []))
    const { lines } = bill(versions, records)
    const items = expected.invoices.flatMap((one) => one.items)
    expect(lines.map(({ amount }) => amount)).to.deep.equal(items.map(({ amount }) => amount))
    for (const [n, { period, price_version }] of items.entries()) {
      if (price_version === undefined) continue
      const { from, to, price_version: by } = lines[n] as (typeof lines)[number]
      expect([from?.slice(0, 10), to?.slice(0, 10), by]).to.deep.equal([...period, price_version])
    }
  })

  describe('rounding of each line', () => {
    type Case = {
      case: string
      currency: string
      lines?: string[]
      fixed?: string[]
      usage?: { quantity: string; unit: string }[]
      taxable?: string
      tax_percents?: string[]
    }
    type Expected = { subtotal?: string; taxes?: string[]; total_tax?: string }
    const { usage, expected } = scenario<unknown, Case[], Cases<Expected>>('line-level-rounding-then-sum')
    for (const one of usage)
      it(one.case, () => {
        const flats = [...(one.lines ?? []), ...(one.fixed ?? []), ...(one.taxable === undefined ? [] : [one.taxable])]
        const charges: Charge[] = [
          ...flats.map((flat_amount, n): Charge => ({ id: `f${n}`, model: 'flat', flat_amount })),
          ...(one.usage ?? []).map(
            ({ unit }, n): Charge => ({ id: `u${n}`, model: 'per_unit', meter: `m${n}`, unit_amount: unit }),
          ),
        ]
        const taxes = (one.tax_percents ?? []).map((percent, n) => ({ name: `tax ${n}`, percent }))
        const answer = bill(
          { name: 'p', currency: one.currency, charges, taxes },
          (one.usage ?? []).map(({ quantity }, n) => used(`m${n}`, quantity, DAY)),
        )
        const want = expected.cases[one.case] as Expected
        if (want.subtotal !== undefined) expect(answer.subtotal).to.equal(want.subtotal)
        if (want.taxes !== undefined) expect(answer.taxes.map(({ amount }) => amount)).to.deep.equal(want.taxes)
        if (want.total_tax !== undefined) expect(answer.tax).to.equal(want.total_tax)
        expect(want, 'something is compared').to.not.deep.equal({})
      })
  })
})
