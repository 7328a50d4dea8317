import { expect } from 'chai'
import fc from 'fast-check'
import {
  addDecimals,
  fromScaled,
  groupDigits,
  isDecimal,
  ratio,
  toScaled,
  trimZeros,
} from '../../../portal/web/decimal.ts'

describe('portal decimals', () => {
  it('accepts decimal text only', () => {
    for (const text of ['0', '12', '-0.50', '9007199254740993.000000000001'])
      expect(isDecimal(text), text).to.equal(true)
    for (const text of ['', '.5', '5.', '+1', '1e3', 'NaN', '1,000', ' 1'])
      expect(isDecimal(text), text).to.equal(false)
  })

  it('keeps digits that a double would lose', () => {
    expect(groupDigits('9007199254740993.10')).to.equal('9,007,199,254,740,993.10')
    expect(addDecimals(['9007199254740993', '0.000000000001'])).to.equal('9007199254740993.000000000001')
    expect(addDecimals(['0.1', '0.2'])).to.equal('0.3')
  })

  it('adds with the decimals of the longest summand and keeps the sign of small results', () => {
    expect(addDecimals([])).to.equal('0')
    expect(addDecimals(['1.50', '2'])).to.equal('3.50')
    expect(addDecimals(['-0.30', '0.25'])).to.equal('-0.05')
  })

  it('groups thousands on the whole part only', () => {
    expect(groupDigits('-1234567.8901')).to.equal('-1,234,567.8901')
    expect(groupDigits('999')).to.equal('999')
  })

  it('trims zeros behind the point and none before it', () => {
    expect(['3.500', '100', '7.000', '0.0'].map(trimZeros)).to.deep.equal(['3.5', '100', '7', '0'])
  })

  it('scales by 1e12 and back', () => {
    expect(toScaled('1.5')).to.equal(1_500_000_000_000n)
    fc.assert(fc.property(fc.bigInt(-(10n ** 30n), 10n ** 30n), (value) => toScaled(fromScaled(value)) === value))
  })

  it('gives ratios for drawing, and 0 of nothing', () => {
    expect(ratio(toScaled('617283.5'), toScaled('1234567'))).to.equal(0.5)
    expect(ratio(5n, 0n)).to.equal(0)
  })

  it('refuses what is not a decimal', () => {
    expect(() => groupDigits('1e3')).to.throw(RangeError)
  })
})
