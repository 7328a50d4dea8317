import { expect } from 'chai'
import { shareText, wilson } from '../../../../consumers/governance/training/wilson.ts'

describe('the interval of a share', () => {
  // Published values: 8 of 10 and 0 of 20 at 95 %.
  it('agrees with known values', () => {
    expect(wilson(8, 10).low).to.be.closeTo(0.4902, 0.0005)
    expect(wilson(8, 10).high).to.be.closeTo(0.9433, 0.0005)
    expect(wilson(0, 20).high).to.be.closeTo(0.1611, 0.0005)
  })

  it('says nothing of nothing', () => {
    expect(shareText(0, 0)).to.equal('-')
    expect(wilson(0, 0)).to.deep.equal({ share: 0, low: 0, high: 1 })
  })
})
