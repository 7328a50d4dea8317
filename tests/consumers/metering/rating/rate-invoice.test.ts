import { expect } from 'chai'
import fc from 'fast-check'
import { currencyDigits } from '../../../../consumers/metering/rating/currency.ts'
import type { InvoiceLine } from '../../../../consumers/metering/rating/line.ts'
import type { Charge, Plan } from '../../../../consumers/metering/rating/plan.ts'
import type { Subscription } from '../../../../consumers/metering/rating/usage.ts'
import { decimal, formatDecimal } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'
import { bookedFor, invoiceOf, monthOfTotals, subscriptionTo as subscription } from './month.ts'

type Total = readonly [meter: string, of: string, quantity: string]
const plan = (charges: Charge[], more: Partial<Plan> = {}): Plan => ({ name: 'p', currency: 'USD', charges, ...more })
const runs: Charge = { id: 'runs', model: 'per_unit', meter: 'runs', unit_amount: '0.50' }
const month = (subscriptions: Subscription[], usage: readonly Total[], period = '2026-11') =>
  monthOfTotals(period, subscriptions, usage)
const sum = (amounts: string[]) => amounts.reduce((total, amount) => total + decimal(amount), 0n)
const amounts = (lines: InvoiceLine[]) => lines.map(({ amount }) => amount)

const amount = fc.bigInt({ min: 0n, max: 10n ** 15n }).map((scaled) => formatDecimal(scaled))
const charge: fc.Arbitrary<Charge> = fc.oneof(
  fc.record({ id: fc.constantFrom('a', 'b', 'c'), model: fc.constant('flat' as const), flat_amount: amount }),
  fc.record({
    id: fc.constantFrom('d', 'e'),
    model: fc.constant('per_unit' as const),
    meter: fc.constantFrom('runs', 'bytes'),
    unit_amount: amount,
  }),
  fc.record({
    id: fc.constantFrom('f', 'g'),
    model: fc.constant('graduated' as const),
    meter: fc.constantFrom('runs', 'bytes'),
    tiers: fc.tuple(amount, amount, amount).map(([unit, flat, next]) => [
      { up_to: '10', unit_amount: unit, flat_amount: flat },
      { up_to: null, unit_amount: next },
    ]),
  }),
)
const subscriptions = fc.array(
  fc.record({
    partner: fc.constantFrom('demo', 'acme'),
    package: fc.constantFrom('one', 'two', 'three'),
    charges: fc.uniqueArray(charge, { minLength: 1, maxLength: 4, selector: ({ id }) => id }),
    taxes: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('VAT', 'city'), percent: fc.constantFrom('20', '8.875', '0.5') }),
      { maxLength: 2, selector: ({ name }) => name },
    ),
  }),
  { maxLength: 3 },
)
const usage: fc.Arbitrary<Total[]> = fc.uniqueArray(
  fc.tuple(
    fc.constantFrom('runs', 'bytes', 'unknown'),
    fc.constantFrom('', 'one', 'two', 'four'),
    fc.bigInt({ min: 0n, max: 10n ** 14n }).map((scaled) => formatDecimal(scaled)),
  ),
  { maxLength: 8, selector: ([meter, of]) => `${meter}/${of}` },
)
const subscribed = (
  made: { partner: string; package: string; charges: Charge[]; taxes: { name: string; percent: string }[] }[],
) =>
  made.map((one, index) =>
    subscription(`s-${index}`, one.partner, one.package, plan(one.charges, { taxes: one.taxes })),
  )
const currency = fc.constantFrom('USD', 'JPY', 'KWD')

describe('consumers/metering/rating/rate-invoice', () => {
  it('adds up to the minor unit, for any usage, plans, taxes and currency', () =>
    holds(
      fc.property(
        subscriptions,
        usage,
        currency,
        fc.constantFrom('0', '33.333333', '80', '100'),
        (made, used, code, share) => {
          const invoice = invoiceOf(month(subscribed(made), used), [], { currency: code, share })
          expect(sum(amounts(invoice.lines))).to.equal(decimal(invoice.subtotal))
          expect(sum(invoice.taxes.map((tax) => tax.amount))).to.equal(decimal(invoice.tax))
          expect(decimal(invoice.subtotal) + decimal(invoice.tax)).to.equal(decimal(invoice.total))
          const parts = invoice.shares.flatMap(({ partner_share, platform_fee, tax }) => [
            partner_share,
            platform_fee,
            tax,
          ])
          expect(sum(parts), 'tenant total = shares + fees + tax').to.equal(decimal(invoice.total))
          for (const { gross, partner_share, platform_fee, tax } of invoice.shares)
            expect(sum([partner_share, platform_fee, tax])).to.equal(decimal(gross))
          const digits = currencyDigits(code)
          const shape = new RegExp(`^-?\\d+${digits === 0 ? '' : `\\.\\d{${digits}}`}$`)
          for (const text of [...amounts(invoice.lines), ...parts, invoice.total]) expect(text).to.match(shape)
        },
      ),
      300,
    ))

  it('prices every quantity once or says that nothing does', () =>
    holds(
      fc.property(subscriptions, usage, (made, used) => {
        const invoice = invoiceOf(month(subscribed(made), used))
        const plans = subscribed(made)
        for (const [meter, of] of used) {
          const priced = plans.filter(
            (one) =>
              (of === '' || of === one.package) &&
              one.versions[0]?.plan.charges.some((each) => each.model !== 'flat' && each.meter === meter),
          )
          const listed = invoice.unpriced.some((one) => one.meter === meter && one.package === of)
          expect(listed, `${meter}/${of}`).to.equal(priced.length === 0)
        }
      }),
    ))

  it('does not depend on the order of usage', () =>
    holds(
      fc.property(subscriptions, usage, fc.infiniteStream(fc.nat()), (made, used, random) => {
        const shuffled = used
          .map((total) => ({ total, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ total }) => total)
        const rate = (totals: Total[]) => ({
          ...invoiceOf(month(subscribed(made), totals)),
          unpriced: [],
          usage: [],
        })
        expect(rate(shuffled)).to.deep.equal(rate(used))
      }),
    ))

  it('books late usage so that all runs add up to rating once, lines and tax', () =>
    holds(
      fc.property(subscriptions, fc.array(usage, { minLength: 1, maxLength: 4 }), (made, arrivals) => {
        const plans = subscribed(made)
        const arrived: Total[] = []
        const invoices: { period: string; invoice: ReturnType<typeof invoiceOf> }[] = []
        for (const [run, more] of arrivals.entries()) {
          arrived.push(...more)
          const september = month(plans, arrived, '2026-09')
          const period = `2026-${String(9 + run).padStart(2, '0')}`
          const late = { usage: september, booked: bookedFor('2026-09', '2026-09', invoices) }
          const invoice = run === 0 ? invoiceOf(september) : invoiceOf(month([], [], period), [late])
          invoices.push({ period, invoice })
          for (const line of invoice.lines)
            expect([line.period, run === 0 || line.kind === 'adjustment']).to.deep.equal(['2026-09', true])
        }
        const once = invoiceOf(month(plans, arrived, '2026-09'))
        const { lines, taxes } = bookedFor('2026-09', '2026-09', invoices)
        for (const line of once.lines)
          expect(lines.get(line.id)?.amount ?? '0.00', line.description).to.equal(line.amount)
        expect(sum([...lines.values()].map(({ amount }) => amount))).to.equal(decimal(once.subtotal))
        expect(sum(taxes.map(({ amount }) => amount))).to.equal(decimal(once.tax))
        expect(sum(invoices.map(({ invoice }) => invoice.total))).to.equal(decimal(once.total))
      }),
      300,
    ))

  describe('attribution', () => {
    it('gives usage of a package to that package’s own subscription', () => {
      const two = [
        subscription('s1', 'demo', 'one', plan([runs])),
        subscription('s2', 'acme', 'two', plan([{ ...runs, unit_amount: '2' }])),
      ]
      const { lines } = invoiceOf(
        month(two, [
          ['runs', 'two', '3'],
          ['runs', 'one', '1'],
        ]),
      )
      expect(lines.map((line) => [line.package, line.partner, line.quantity, line.amount])).to.deep.equal([
        ['one', 'demo', '1', '0.50'],
        ['two', 'acme', '3', '6.00'],
      ])
    })

    it('gives usage without a package to the oldest subscription that knows the meter, and to every charge of it', () => {
      const both = plan([runs, { id: 'extra', model: 'per_unit', meter: 'runs', unit_amount: '0.01' }])
      const two = [
        subscription('s0', 'acme', 'zero', plan([{ ...runs, meter: 'bytes' }])),
        subscription('s1', 'demo', 'one', both),
        subscription('s2', 'acme', 'two', plan([runs])),
      ]
      const { lines, unpriced } = invoiceOf(month(two, [['runs', '', '2']]))
      expect(amounts(lines)).to.deep.equal(['0.00', '1.00', '0.02', '0.00'])
      expect(unpriced).to.deep.equal([])
    })

    it('prices nothing that no charge knows', () => {
      const {
        lines,
        unpriced,
        usage: shown,
      } = invoiceOf(
        month(
          [subscription('s1', 'demo', 'one', plan([runs]))],
          [
            ['walks', '', '2'],
            ['runs', 'other', '5'],
          ],
        ),
      )
      expect(amounts(lines)).to.deep.equal(['0.00'])
      expect(unpriced.map(({ meter }) => meter)).to.deep.equal(['walks', 'runs'])
      expect(shown).to.deep.equal([
        { meter: 'walks', package: null, quantity: '2', amount: null },
        { meter: 'runs', package: 'other', quantity: '5', amount: null },
      ])
    })
  })

  it('rounds tax once per partner and rate, on the sum of the lines', () => {
    const small = plan(
      [
        { ...runs, unit_amount: '0.10' },
        { id: 'b', model: 'flat', flat_amount: '0.10' },
        { id: 'c', model: 'flat', flat_amount: '0.10' },
      ],
      { taxes: [{ name: 'VAT', percent: '5' }] },
    )
    const invoice = invoiceOf(month([subscription('s1', 'demo', 'one', small)], [['runs', '', '1']]))
    expect(invoice.taxes).to.deep.equal([{ partner: 'demo', name: 'VAT', percent: '5', base: '0.30', amount: '0.02' }])
    expect([invoice.subtotal, invoice.tax, invoice.total]).to.deep.equal(['0.30', '0.02', '0.32'])
  })

  it('keeps the id of a line from the first look to the last, and gives no two lines one', () => {
    const two = [
      subscription('s1', 'demo', 'one', plan([runs, { id: 'fee', model: 'flat', flat_amount: '1' }])),
      subscription('s2', 'demo', 'two', plan([runs])),
    ]
    const ids = (tenant: string, period: string, quantity: string) =>
      invoiceOf(month(two, [['runs', '', quantity]], period), [], { tenant }).lines.map(({ id }) => id)
    expect(ids('t', '2026-11', '1')).to.deep.equal(ids('t', '2026-11', '7'))
    const all = [...ids('t', '2026-11', '1'), ...ids('u', '2026-11', '1'), ...ids('t', '2026-12', '1')]
    expect(new Set(all).size).to.equal(9)
    for (const id of all) expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it('lowers what is owed when late usage makes it cheaper', () => {
    const volume = plan([
      {
        id: 'runs',
        model: 'volume',
        meter: 'runs',
        tiers: [
          { up_to: '15', unit_amount: '10' },
          { up_to: null, unit_amount: '5' },
        ],
      },
    ])
    const sold = [subscription('s1', 'demo', 'one', volume)]
    const before = { period: '2026-10', invoice: invoiceOf(month(sold, [['runs', '', '15']], '2026-10')) }
    const usage = month(sold, [['runs', '', '16']], '2026-10')
    const booked = bookedFor('2026-10', '2026-10', [before])
    const { lines, total, shares } = invoiceOf(month([], []), [{ usage, booked }])
    expect(lines.map(({ kind, quantity, unit_price }) => [kind, quantity, unit_price])).to.deep.equal([
      ['adjustment', '-15', '10'],
      ['adjustment', '16', '5'],
    ])
    expect(lines.map(({ kind, period, amount: delta }) => [kind, period, delta])).to.deep.equal([
      ['adjustment', '2026-10', '-150.00'],
      ['adjustment', '2026-10', '80.00'],
    ])
    expect([total, shares[0]?.partner_share, shares[0]?.platform_fee]).to.deep.equal(['-70.00', '-56.00', '-14.00'])
  })
})
