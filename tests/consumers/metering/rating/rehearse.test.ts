import { expect } from 'chai'
import fc from 'fast-check'
import type { Charge, Plan } from '../../../../consumers/metering/rating/plan.ts'
import { type ArrivedRecord, rehearse } from '../../../../consumers/metering/rating/rehearse.ts'
import { decimal, formatDecimal } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

const price = fc.bigInt({ min: 0n, max: 10n ** 13n }).map((scaled) => formatDecimal(scaled))
const tiers = fc.tuple(price, price, price).map(([unit, flat, next]) => [
  { up_to: '10', unit_amount: unit, flat_amount: flat },
  { up_to: '40', unit_amount: next },
  { up_to: null, unit_amount: unit },
])
const aggregation = fc.constantFrom(
  'sum' as const,
  'count' as const,
  'max' as const,
  'unique' as const,
  'average' as const,
  'latest' as const,
  'weighted_sum' as const,
)
const bounds = fc
  .record({ min_amount: price, max_amount: price }, { requiredKeys: [] })
  .filter(
    ({ min_amount, max_amount }) =>
      min_amount === undefined || max_amount === undefined || decimal(min_amount) <= decimal(max_amount),
  )
const metered = { meter: fc.constantFrom('a', 'b') }
const model = fc.oneof(
  fc.record({ id: fc.constant('x'), model: fc.constant('flat' as const), flat_amount: price }),
  fc.record({
    id: fc.constant('x'),
    ...metered,
    aggregation,
    model: fc.constant('per_unit' as const),
    unit_amount: price,
    free_units: price,
  }),
  fc.record({ id: fc.constant('x'), ...metered, aggregation, model: fc.constant('graduated' as const), tiers }),
  fc.record({
    id: fc.constant('x'),
    ...metered,
    aggregation,
    model: fc.constant('volume' as const),
    tiers,
    group_by: fc.constant<string[]>(['g']),
  }),
  fc.record({
    id: fc.constant('x'),
    ...metered,
    model: fc.constant('package' as const),
    unit_amount: price,
    package_size: fc.constantFrom('1', '7', '0.5'),
    package_rounding: fc.constantFrom('up' as const, 'down' as const),
  }),
  fc.record({
    id: fc.constant('x'),
    ...metered,
    model: fc.constant('percentage' as const),
    rate_percent: fc.constantFrom('1', '2.5'),
    fixed_amount: price,
    free_events: fc.nat(3),
    free_amount: price,
  }),
  fc.record({
    id: fc.constant('x'),
    ...metered,
    model: fc.constant('graduated_percentage' as const),
    tiers: fc.constant<{ up_to: string | null; rate_percent: string; flat_amount?: string }[]>([
      { up_to: '20', rate_percent: '10', flat_amount: '1' },
      { up_to: null, rate_percent: '5' },
    ]),
  }),
)
const charge = fc
  .tuple(model, bounds)
  .map(([one, limits]): Charge => (one.model === 'flat' ? one : { ...one, ...limits }))
const plan: fc.Arbitrary<Plan> = fc.record({
  name: fc.constant('p'),
  currency: fc.constantFrom('USD', 'JPY', 'KWD'),
  charges: fc
    .array(charge, { minLength: 1, maxLength: 4 })
    .map((all) => all.map((one, n) => ({ ...one, id: `c${n}` }))),
  rounding: fc.constantFrom('line' as const, 'invoice' as const),
  minimum_commitment: price,
  discounts: fc.constantFrom([], [{ percent: '12.5' }], [{ amount: '3' }, { percent: '50', applies_to: ['c0'] }]),
  taxes: fc.constantFrom(
    [],
    [{ name: 'VAT', percent: '20' }],
    [
      { name: 'a', percent: '8.875' },
      { name: 'b', percent: '0.5' },
    ],
  ),
})
const START = Date.parse('2026-11-01T00:00:00Z')
const DAY = 86_400_000
const records = fc.array(
  fc.record({
    meter: fc.constantFrom('a', 'b'),
    quantity: fc.integer({ min: 0, max: 3000 }).map((hundredths) => String(hundredths / 100)),
    used: fc.integer({ min: 0, max: 30 * DAY - 1 }),
    late: fc.integer({ min: 0, max: 60 * DAY }),
    g: fc.constantFrom('u', 'v'),
  }),
  { maxLength: 15 },
)
const arrived = (made: { meter: string; quantity: string; used: number; late: number; g: string }[]): ArrivedRecord[] =>
  made.map(({ meter, quantity, used, late, g }, n) => ({
    id: `r${n}`,
    meter,
    quantity,
    time: new Date(START + used).toISOString(),
    received_at: new Date(START + used + late).toISOString(),
    dimensions: { g },
  }))
const november = { from: new Date(START), to: new Date(START + 30 * DAY) }
const bill = (prices: Plan, usage: readonly ArrivedRecord[], runs: Date[] | null = null) =>
  rehearse({
    subscription: {
      id: 's',
      partner: 'demo',
      package: 'x',
      starts_at: null,
      ends_at: null,
      versions: [{ id: 'v', effective_from: new Date(0), plan: prices }],
    },
    records: usage,
    period: november,
    runs,
    now: new Date(START),
  })
const sum = (amounts: string[]) => formatDecimal(amounts.reduce((total, amount) => total + decimal(amount), 0n))
const shuffled = <T>(items: readonly T[], random: readonly number[]): T[] =>
  items
    .map((item, n) => ({ item, at: random[n] ?? 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)

describe('consumers/metering/rating/rehearse', () => {
  it('bills in any number of runs, with any lateness, what one run over everything bills', () =>
    holds(
      fc.property(
        plan,
        records,
        fc.array(fc.integer({ min: 0, max: 95 * DAY }), { maxLength: 5 }),
        (prices, made, times) => {
          const usage = arrived(made)
          const runs = [...times.map((ms) => new Date(START + ms)), new Date(START + 95 * DAY)]
          const answer = bill(prices, usage, runs)
          const once = bill(prices, usage)
          expect(sum(answer.runs?.map(({ total }) => total) ?? [])).to.equal(sum([once.total]))
          expect(sum(answer.runs?.map(({ tax }) => tax) ?? [])).to.equal(sum([once.tax]))
          for (const one of [once, ...(answer.runs ?? [])]) {
            expect(sum(one.lines.map(({ amount }) => amount))).to.equal(sum([one.subtotal]))
            expect(sum([one.subtotal, one.tax])).to.equal(sum([one.total]))
            expect(sum(one.taxes.map(({ amount }) => amount))).to.equal(sum([one.tax]))
          }
        },
      ),
      1000,
    ))

  it('does not depend on the order of the records, nor on repeats', () =>
    holds(
      fc.property(plan, records, fc.array(fc.nat(), { minLength: 30, maxLength: 30 }), (prices, made, random) => {
        const usage = arrived(made)
        expect(bill(prices, shuffled([...usage, ...usage], random))).to.deep.equal(bill(prices, usage))
      }),
    ))

  it('never bills less for more, where every unit has a price of its own', () =>
    holds(
      fc.property(
        // A discount on some charges only takes more where they are more of what a commitment makes up anyway.
        plan
          .map((one) => ({ ...one, discounts: [] }))
          .filter(({ charges }) =>
            charges.every(
              (one) => one.model !== 'volume' && (one.model === 'flat' || (one.aggregation ?? 'sum') === 'sum'),
            ),
          ),
        records,
        (prices, made) => {
          const usage = arrived(made)
          const less = decimal(bill(prices, usage.slice(0, -1)).subtotal)
          // Free events are free in the order of their times, so one that comes before others can only move what is free.
          const events = prices.charges.some((one) => one.model === 'percentage')
          if (!events) expect(decimal(bill(prices, usage).subtotal) >= less).to.equal(true)
        },
      ),
    ))
})
