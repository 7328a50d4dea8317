import { expect } from 'chai'
import fc from 'fast-check'
import { currencyDigits } from '../../../../consumers/metering/rating/currency.ts'
import type { MeteredCharge as Charge, UnitTier as Tier } from '../../../../consumers/metering/rating/plan.ts'
import { priceOf } from '../../../../consumers/metering/rating/price.ts'
import { decimal, formatDecimal, roundProduct, SCALE } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

const rateCharge = (charge: Charge, quantity: bigint, digits: number) => {
  const { exact, tiers } = priceOf(charge, quantity, 0, [])
  return { amount: roundProduct(exact, digits), tiers }
}
const rate = (charge: Charge, quantity: string, currency = 'USD') => {
  const digits = currencyDigits(currency)
  return formatDecimal(rateCharge(charge, decimal(quantity), digits).amount, digits)
}
const perUnit = (unit_amount: string): Charge => ({ id: 'a', model: 'per_unit', meter: 'm', unit_amount })
const graduated = (...tiers: Tier[]): Charge => ({ id: 'a', model: 'graduated', meter: 'm', tiers })
const tier = (up_to: string | null, unit_amount: string, flat_amount?: string): Tier => ({
  up_to,
  unit_amount,
  ...(flat_amount === undefined ? {} : { flat_amount }),
})

describe('consumers/metering/rating/price', () => {
  it('knows how many decimals a currency carries', () => {
    for (const [currency, digits] of Object.entries({ USD: 2, EUR: 2, JPY: 0, KRW: 0, CLP: 0, KWD: 3, BHD: 3 }))
      expect(currencyDigits(currency), currency).to.equal(digits)
  })

  describe('per unit', () => {
    const cases: [string, string, string, string][] = [
      ['3', '0.50', 'USD', '1.50'],
      ['0', '5', 'USD', '0.00'],
      ['1', '0.000000000001', 'USD', '0.00'],
      ['5000000000', '0.000000000001', 'USD', '0.01'],
      ['150', '0.101', 'USD', '15.15'],
      ['75', '0.333', 'USD', '24.98'],
      ['1000000', '0.0000033', 'USD', '3.30'],
      ['1', '1000.5', 'JPY', '1001'],
      ['3', '33.4', 'JPY', '100'],
      ['1', '0.0005', 'KWD', '0.001'],
      ['7', '0.1234', 'BHD', '0.864'],
      ['999999999999999999', '999999999999999999', 'USD', '999999999999999998000000000000000001.00'],
    ]
    for (const [quantity, price, currency, amount] of cases)
      it(`of ${quantity} at ${price} ${currency} is ${amount}`, () => {
        expect(rate(perUnit(price), quantity, currency)).to.equal(amount)
      })

    it('is rounded once: never first to twelve places and then to cents', () => {
      expect(rate(perUnit('0.015'), '0.333333333333')).to.equal('0.00')
      expect(rate(perUnit('0.015'), '0.333333333334')).to.equal('0.01')
    })

    it('is the product rounded half away from zero, for any quantity and price', () =>
      holds(
        fc.property(
          fc.bigInt({ min: 0n, max: 10n ** 24n }),
          fc.bigInt({ min: 0n, max: 10n ** 24n }),
          fc.constantFrom(0, 2, 3),
          (quantity, price, digits) => {
            const unit = 10n ** BigInt(24 - digits)
            const [whole, rest] = [(quantity * price) / unit, (quantity * price) % unit]
            const expected = (rest * 2n >= unit ? whole + 1n : whole) * 10n ** BigInt(12 - digits)
            expect(rateCharge(perUnit(formatDecimal(price)), quantity, digits).amount).to.equal(expected)
          },
        ),
        500,
      ))
  })

  describe('graduated', () => {
    const charge = graduated(tier('10', '10', '2'), tier('20', '5', '3'), tier(null, '5', '3'))

    it('counts a bound to the tier below it', () => {
      const steps = {
        '0': '2.00',
        '1': '12.00',
        '10': '102.00',
        '10.5': '107.50',
        '11': '110.00',
        '20': '155.00',
        '21': '163.00',
      }
      for (const [quantity, amount] of Object.entries(steps)) expect(rate(charge, quantity), quantity).to.equal(amount)
    })

    it('has the flat amount of its first tier due at zero, of the others once they are entered', () => {
      const flats = graduated(tier('5', '0', '100'), tier(null, '0', '50'))
      expect([rate(flats, '0'), rate(flats, '5'), rate(flats, '5.000000000001')]).to.deep.equal([
        '100.00',
        '100.00',
        '150.00',
      ])
    })

    it('shows what each tier took, and the parts are the whole', () => {
      const { tiers } = rateCharge(charge, decimal('15'), 2)
      expect(tiers).to.deep.equal([
        { up_to: '10', quantity: '10', unit_amount: '10', flat_amount: '2', amount: '102' },
        { up_to: '20', quantity: '5', unit_amount: '5', flat_amount: '3', amount: '28' },
      ])
    })

    it('is rounded once over all tiers', () => {
      const third = '0.003333333333'
      expect(rate(graduated(tier('1', third), tier('2', third), tier(null, third)), '3')).to.equal('0.01')
      expect(rate(graduated(tier('1', '0.004'), tier(null, '0.004')), '2')).to.equal('0.01')
      expect(rate(graduated(tier('0.333333333333', '0.0075'), tier(null, '0.0075')), '0.666666666666')).to.equal('0.00')
    })

    it('is the exact sum of its tiers, rounded half away from zero', () => {
      const amount = fc.bigInt({ min: 0n, max: 10n ** 16n })
      const bounds = fc.uniqueArray(fc.bigInt({ min: 1n, max: 10n ** 18n }), { minLength: 1, maxLength: 5 })
      return holds(
        fc.property(
          bounds,
          fc.array(fc.tuple(amount, amount), { minLength: 6, maxLength: 6 }),
          fc.bigInt({ min: 0n, max: 2n * 10n ** 18n }),
          (unsorted, prices, quantity) => {
            const sorted = [...unsorted].sort((a, b) => (a < b ? -1 : 1))
            const all = [...sorted, null]
            const tiers = all.map((bound, index) => {
              const [unit, flat] = prices[index] as [bigint, bigint]
              return tier(bound === null ? null : formatDecimal(bound), formatDecimal(unit), formatDecimal(flat))
            })
            let exact = 0n
            for (const [index, bound] of all.entries()) {
              const below = sorted[index - 1] ?? 0n
              if (index > 0 && quantity <= below) continue
              const [unit, flat] = prices[index] as [bigint, bigint]
              const inside = (bound !== null && quantity > bound ? bound : quantity) - below
              exact += inside * unit + flat * SCALE
            }
            const cent = 10n ** 22n
            const expected = ((exact + cent / 2n) / cent) * 10n ** 10n
            expect(rateCharge(graduated(...tiers), quantity, 2).amount).to.equal(expected)
          },
        ),
        500,
      )
    })

    it('never costs less for more', () =>
      holds(
        fc.property(fc.nat(40), fc.nat(40), (a, b) => {
          const [less, more] = a < b ? [a, b] : [b, a]
          expect(decimal(rate(charge, String(less))) <= decimal(rate(charge, String(more)))).to.equal(true)
        }),
      ))
  })
})
