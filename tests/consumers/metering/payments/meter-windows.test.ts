import { expect } from 'chai'
import fc from 'fast-check'
import { shareElsewhere } from '../../../../consumers/metering/payments/billed-elsewhere.ts'
import { cutWindows, type MeterWindow } from '../../../../consumers/metering/payments/meter-windows.ts'
import { HOUR_MS } from '../../../../consumers/metering/payments/whole-hours.ts'
import { decimal, SCALE } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

const start = Date.parse('2026-10-31T20:00:00Z')
const hourAt = (n: number) => new Date(start + n * HOUR_MS)
const cut = (usages: [hour: number, usage: string][], more: Partial<Parameters<typeof cutWindows>[0]> = {}) =>
  cutWindows({
    carried: 0n,
    differences: usages.map(([n, usage]) => ({ hour: hourAt(n), usage: decimal(usage), told: true, untold: null })),
    cutBefore: hourAt(0),
    now: hourAt(30),
    dry: false,
    ...more,
  })
const shown = (windows: readonly MeterWindow[]) => windows.map(({ value, state }) => [value, state])

describe('consumers/metering/payments: windows for meters of Stripe', () => {
  it('are whole, with the rest carried on over the end of a month, below zero too', () => {
    expect(
      shown(
        cut([
          [0, '2.5'],
          [3, '0.25'],
          [4, '0.5'],
          [5, '-1'],
        ]),
      ),
    ).to.deep.equal([
      [2n, 'pending'],
      [0n, 'carried'],
      [1n, 'pending'],
      [-1n, 'pending'],
    ])
    expect(shown(cut([[0, '-0.5']]))).to.deep.equal([[-1n, 'pending']])
  })

  it('hold at most the 15 digits that Stripe takes, and carry on what is more', () => {
    expect(
      shown(
        cut([
          [0, '1000000000000000'],
          [1, '5'],
        ]),
      ),
    ).to.deep.equal([
      [999_999_999_999_999n, 'pending'],
      [6n, 'pending'],
    ])
  })

  const times = [
    ['in time', 0, 35 * 24 - 1, 0, 'pending'],
    ['first told 35 days later: too old', 0, 35 * 24, 0, 'too_old'],
    ['late, in time: at its hour', 0, 35 * 24 - 1, 1, 'pending'],
    ['late by 35 days: at the last hour of its month', 0, 35 * 24, 1, 'pending', 3],
    ['late by more than its month: at the newest hour', 0, 35 * 24 + 3, 1, 'pending', 35 * 24 + 3],
  ] as const
  for (const [what, hour, now, cutBefore, state, at = hour] of times)
    it(what, () => {
      const [window] = cut([[hour, '1']], { now: hourAt(now), cutBefore: hourAt(cutBefore) })
      expect([window?.state, window?.at]).to.deep.equal([state, hourAt(at)])
    })

  for (const untold of ['failed', 'too_old', 'dry_run'] as const)
    it(`take nothing back of an hour that is ${untold}`, () => {
      const differences = [{ hour: hourAt(0), usage: decimal('-3'), told: false, untold }]
      expect(shown(cut([], { differences }))).to.deep.equal([[-3n, untold]])
    })

  it('sum to the usage less a fraction, in any number of runs', async () => {
    const usage = fc.array(fc.tuple(fc.nat(40), fc.bigInt(-5n * SCALE, 9n * SCALE)), { maxLength: 30 })
    await holds(
      fc.property(usage, fc.nat(30), (all, split) => {
        let carried = 0n
        let told = 0n
        for (const part of [all.slice(0, split), all.slice(split)]) {
          const differences = part.map(([n, used]) => ({ hour: hourAt(n), usage: used, told: true, untold: null }))
          const windows = cut([], { carried, differences })
          for (const { usage: used, value } of windows) {
            carried += used - value * SCALE
            told += value
          }
        }
        const sum = all.reduce((total, [, used]) => total + used, 0n)
        expect(sum - told * SCALE).to.equal(carried)
        expect(carried >= 0n && carried < SCALE).to.equal(true)
      }),
    )
  })

  it('of any package take every line of their meter, and no fee', () => {
    const elsewhere = [{ package: null, meter: 'runs', since: new Date('2026-10-01'), ends_at: null }]
    const line = { package: 'p', meter: 'runs', period: '2026-10' }
    expect(shareElsewhere([line, { meter: 'runs', period: '2026-11' }], elsewhere)).to.equal('whole')
    expect(shareElsewhere([line, { period: '2026-10' }], elsewhere)).to.equal('part')
    expect(shareElsewhere([{ ...line, meter: 'gb' }], elsewhere)).to.equal('none')
    expect(shareElsewhere([{ ...line, period: '2026-09' }], elsewhere)).to.equal('none')
    const again = [{ ...elsewhere[0], ends_at: new Date('2026-10-10') }, ...elsewhere] as typeof elsewhere
    expect(shareElsewhere([line], again)).to.equal('whole')
  })
})
