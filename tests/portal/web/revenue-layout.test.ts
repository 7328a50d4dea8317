import { expect } from 'chai'
import { readRevenue } from '../../../portal/web/answers.ts'
import { axisTicks } from '../../../portal/web/axis-ticks.ts'
import { revenueLayout } from '../../../portal/web/revenue-layout.ts'
import { revenueSummary } from '../../../portal/web/revenue-summary.ts'
import { loaded } from './canned-answers.ts'

const { months, currency } = readRevenue(loaded.revenue.body)
const zeroMonth = {
  month: '2026-11',
  gross: '0.00',
  partner_share: '0.00',
  platform_fee: '0.00',
  tax: '0.00',
  invoices: 1,
}

describe('axis ticks', () => {
  it('takes round steps that cover the figures', () => {
    expect(axisTicks(0n, 2012n, 4n)).to.deep.equal([0n, 1000n, 2000n, 3000n])
    expect(axisTicks(0n, 4n, 4n)).to.deep.equal([0n, 1n, 2n, 3n, 4n])
  })

  it('holds zero and stays above a low that is no step', () => {
    expect(axisTicks(-42n, 0n, 4n)).to.deep.equal([-40n, -20n, 0n])
    expect(axisTicks(-42n, 2012n, 4n)).to.deep.equal([0n, 1000n, 2000n, 3000n])
  })

  it('refuses a span of nothing', () => {
    expect(() => axisTicks(0n, 0n, 4n)).to.throw(RangeError)
  })
})

describe('revenue layout', () => {
  const layout = revenueLayout(months, 1000)
  const column = (month: string) => layout.columns.find((candidate) => candidate.month === month)

  it('stacks the parts from the zero line upwards in proportion', () => {
    const [share, fee, tax] = column('2026-10')?.segments ?? []
    if (!share || !fee || !tax) throw new Error('October has three parts')
    expect(share.y + share.height).to.be.closeTo(layout.zeroY, 0.01)
    expect(fee.y + fee.height).to.be.closeTo(share.y, 1.6)
    expect(tax.y + tax.height).to.be.closeTo(fee.y, 1.6)
    // Each part gives 1.5 px of its height to the gap above it.
    expect((share.height + 1.5) / (fee.height + 1.5)).to.be.closeTo(1352.9 / 338.25, 0.01)
  })

  it('stacks a credited month downwards', () => {
    const segments = column('2026-08')?.segments ?? []
    expect(segments).to.have.length(3)
    for (const segment of segments) expect(segment.y).to.be.at.least(layout.zeroY - 0.01)
  })

  it('names each segment with the text that came in', () => {
    expect(column('2026-10')?.segments[0]?.title).to.equal('Partner share, Oct: 1,352.90')
  })

  it('leaves totals out where they would touch, and widens rather than thin the columns', () => {
    expect(layout.columns.every((each) => each.total !== null)).to.equal(true)
    const narrow = revenueLayout(months, 200)
    expect(narrow.columns.every((each) => each.total === null)).to.equal(true)
    expect(narrow.width).to.be.greaterThan(200)
  })

  it('draws months that are all zero', () => {
    const zero = revenueLayout([zeroMonth], 600)
    expect(zero.columns[0]?.segments).to.deep.equal([])
    expect(zero.ticks.every((tick) => Number.isFinite(tick.y))).to.equal(true)
  })
})

describe('revenue summary', () => {
  it('says span, sum, parts and the highest month in one sentence', () => {
    expect(revenueSummary(months, currency)).to.equal(
      'From June 2026 to November 2026 revenue was 6,280.75 EUR: 4,221.90 EUR to partners, 1,055.60 EUR platform fee and ' +
        '1,003.25 EUR tax; the highest month was October 2026 with 2,012.50 EUR.',
    )
  })

  it('needs no superlative for a single month', () => {
    expect(revenueSummary([zeroMonth], null)).to.equal(
      'In November 2026 revenue was 0.00: 0.00 to partners, 0.00 platform fee and 0.00 tax.',
    )
  })
})
