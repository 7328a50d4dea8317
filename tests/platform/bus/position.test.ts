import { expect } from 'chai'
import { parsePosition } from '../../../platform/bus/position.ts'

describe('platform/bus/position', () => {
  const now = new Date('2026-11-10T10:00:00Z')
  const read = (text: string) => parsePosition(text, now)

  it('reads every word', () => {
    expect(read('earliest')).to.deep.equal({ kind: 'earliest' })
    expect(read('latest')).to.deep.equal({ kind: 'latest' })
    expect(read('offset:42')).to.deep.equal({ kind: 'offset', at: '42' })
    expect(read('offset:812:34')).to.deep.equal({ kind: 'offset', at: '812:34' })
    expect(read('last:10')).to.deep.equal({ kind: 'last', records: 10 })
    expect(read('time:2026-11-01T00:00:00Z')).to.deep.equal({ kind: 'time', at: new Date('2026-11-01T00:00:00Z') })
  })

  it('counts `ago` back from now', () => {
    const ago = (text: string) => (read(text) as { at: Date }).at.toISOString()
    expect(ago('ago:30s')).to.equal('2026-11-10T09:59:30.000Z')
    expect(ago('ago:15m')).to.equal('2026-11-10T09:45:00.000Z')
    expect(ago('ago:2h')).to.equal('2026-11-10T08:00:00.000Z')
    expect(ago('ago:7d')).to.equal('2026-11-03T10:00:00.000Z')
  })

  for (const text of [
    '',
    'first',
    'offset:',
    'offset:-1',
    'offset:1:2:3',
    'last:',
    'last:1.5',
    'time:yesterday',
    'time:2026-02-30T00:00:00Z',
    'ago:2',
    'ago:2w',
    '2h',
  ])
    it(`does not take ${JSON.stringify(text)} for a position`, () => {
      expect(read(text)).to.equal(null)
    })
})
