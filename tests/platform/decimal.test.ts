import { expect } from 'chai'
import fc from 'fast-check'
import {
  allocate,
  decimal,
  formatDecimal,
  multiply,
  roundProduct,
  roundTo,
  SCALE,
  tryDecimal,
} from '../../platform/decimal.ts'
import { holds } from '../support/property.ts'

/** A decimal of up to 18 digits before and 12 after the point, as scaled BigInt. */
const value = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
const places = fc.integer({ min: 0, max: 12 })

/** numerator / denominator rounded half away from zero, on the rational itself. */
function rounded(numerator: bigint, denominator: bigint): bigint {
  const size = numerator < 0n ? -numerator : numerator
  const whole = size / denominator
  const twiceRest = (size % denominator) * 2n
  const up = twiceRest >= denominator ? whole + 1n : whole
  return numerator < 0n ? -up : up
}

describe('platform/decimal', () => {
  it('reads and writes the same number', () =>
    holds(
      fc.property(value, (scaled) => {
        expect(decimal(formatDecimal(scaled))).to.equal(scaled)
        expect(formatDecimal(scaled)).to.match(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/)
      }),
      500,
    ))

  it('writes exactly the places asked for', () => {
    expect(formatDecimal(decimal('1.5'), 2)).to.equal('1.50')
    expect(formatDecimal(decimal('-0.05'), 2)).to.equal('-0.05')
    expect(formatDecimal(decimal('1000'), 0)).to.equal('1000')
    expect(formatDecimal(0n, 3)).to.equal('0.000')
  })

  it('reads nothing but plain decimals', () => {
    for (const text of [
      '',
      ' 1',
      '1 ',
      '+1',
      '.5',
      '1.',
      '1e3',
      '0x10',
      '1,5',
      'NaN',
      '١',
      '1.0000000000001',
      '9'.repeat(31),
    ])
      expect(tryDecimal(text), text).to.equal(null)
    expect(() => decimal('one')).to.throw(RangeError)
    expect(tryDecimal('-0')).to.equal(0n)
    expect(tryDecimal(`${'9'.repeat(30)}.${'9'.repeat(12)}`)).to.equal(10n ** 42n - 1n)
  })

  it('multiplies as rationals do, rounded half away from zero at the twelfth place', () =>
    holds(
      fc.property(value, value, (a, b) => {
        expect(multiply(a, b)).to.equal(rounded(a * b, SCALE))
      }),
      500,
    ))

  it('rounds half away from zero to any number of places', () =>
    holds(
      fc.property(value, places, (scaled, digits) => {
        const unit = 10n ** BigInt(12 - digits)
        expect(roundTo(scaled, digits)).to.equal(rounded(scaled, unit) * unit)
      }),
      500,
    ))

  it('rounds an exact product once, as rationals do', () =>
    holds(
      fc.property(value, value, value, places, (a, b, c, digits) => {
        const unit = 10n ** BigInt(24 - digits)
        expect(roundProduct(a * b + c * SCALE, digits)).to.equal(
          rounded(a * b + c * SCALE, unit) * 10n ** BigInt(12 - digits),
        )
      }),
      500,
    ))

  it('rounds the halves that floats get wrong', () => {
    const half = (text: string, digits: number) => formatDecimal(roundTo(decimal(text), digits), digits)
    expect(half('1.005', 2)).to.equal('1.01')
    expect(half('10.275', 2)).to.equal('10.28')
    expect(half('-1.005', 2)).to.equal('-1.01')
    expect(half('1000.5', 0)).to.equal('1001')
    expect(half('0.0005', 3)).to.equal('0.001')
    expect(half('1.00499999999', 2)).to.equal('1.00')
  })

  it('splits exactly, each part within one unit of its proportion', () => {
    const total = fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n })
    const weights = fc
      .array(fc.bigInt({ min: 0n, max: 10n ** 15n }), { minLength: 1, maxLength: 8 })
      .filter((all) => all.some((weight) => weight > 0n))
    return holds(
      fc.property(total, weights, places, (units, parts, digits) => {
        const unit = 10n ** BigInt(12 - digits)
        const split = allocate(units * unit, parts, digits)
        expect(split.reduce((a, b) => a + b, 0n)).to.equal(units * unit)
        const sum = parts.reduce((a, b) => a + b, 0n)
        for (const [index, part] of split.entries()) {
          expect(part % unit).to.equal(0n)
          const off = part * sum - units * unit * (parts[index] as bigint)
          expect(off < unit * sum && off > -unit * sum, `part ${index}`).to.equal(true)
        }
      }),
      500,
    )
  })

  it('gives what is left to the largest remainder, ties to the earlier part', () => {
    const split = (total: string, weights: string[], digits: number) =>
      allocate(decimal(total), weights.map(decimal), digits).map((part) => formatDecimal(part, digits))
    expect(split('0.05', ['1', '1', '1'], 2)).to.deep.equal(['0.02', '0.02', '0.01'])
    expect(split('-0.05', ['1', '1', '1'], 2)).to.deep.equal(['-0.02', '-0.02', '-0.01'])
    expect(split('0.01', ['1', '100'], 2)).to.deep.equal(['0.00', '0.01'])
    expect(() => allocate(1n, [0n, 0n], 2)).to.throw(RangeError)
    expect(() => allocate(1n, [], 2)).to.throw(RangeError)
  })
})
