import { expect } from 'chai'
import { stopLimit } from '../../../platform/bus/stop-limit.ts'

describe('platform/bus/stop-limit', () => {
  /** Notes events until one stops, at most `events`; the number of the event that did, and why. */
  function until(failed: (n: number) => boolean, events: number): [number, string] | null {
    const limit = stopLimit()
    for (let n = 1; n <= events; n++) {
      const reason = limit.note(failed(n))
      if (reason !== null) return [n, reason]
    }
    return null
  }

  it('bears 19 in a row and stops at the twentieth', () => {
    expect(until((n) => n % 20 !== 0, 100)).to.equal(null)
    expect(until((n) => n > 5, 100)).to.deep.equal([25, '20 events in a row could not be applied'])
  })

  it('bears 1 in 100 for ever, and stops above', () => {
    expect(until((n) => n % 100 === 0, 50_000)).to.equal(null)
    expect(until((n) => n % 99 === 0, 50_000)?.[1]).to.equal('101 of the last 10000 events could not be applied')
    expect(until((n) => n % 10 === 0, 50_000)).to.deep.equal([
      1_010,
      '101 of the last 10000 events could not be applied',
    ])
  })

  it('forgets what lies further back, and all of it when told to', () => {
    expect(until((n) => n <= 1_000 && n % 10 === 0, 30_000)).to.equal(null)
    const limit = stopLimit()
    for (let n = 0; n < 19; n++) limit.note(true)
    limit.reset()
    expect(limit.note(true)).to.equal(null)
  })
})
