import { expect } from 'chai'
import fc from 'fast-check'
import {
  batchesOf,
  deadlineOf,
  planWindows,
  timestampOf,
  type Window,
} from '../../../../consumers/metering/payments/aws-windows.ts'
import { shareElsewhere } from '../../../../consumers/metering/payments/billed-elsewhere.ts'
import { HOUR_MS } from '../../../../consumers/metering/payments/whole-hours.ts'
import { decimal, SCALE } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'

const start = Date.parse('2026-10-31T00:00:00Z')
const hourAt = (n: number) => new Date(start + n * HOUR_MS)

describe('consumers/metering/payments: deadlines of AWS', () => {
  const cases = [
    ['2026-10-15T10:00:00Z', '2026-10-16T10:00:00Z'],
    ['2026-10-31T05:00:00Z', '2026-11-01T05:00:00Z'],
    ['2026-10-31T06:00:00Z', '2026-11-01T06:00:00Z'],
    ['2026-10-31T23:00:00Z', '2026-11-01T06:00:00Z'],
    ['2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z'],
    ['2026-12-31T20:00:00Z', '2027-01-01T06:00:00Z'],
  ]
  for (const [time, deadline] of cases)
    it(`${time}: until ${deadline}`, () => {
      expect(deadlineOf(new Date(time as string))).to.deep.equal(new Date(deadline as string))
    })
})

describe('consumers/metering/payments: windows of AWS', () => {
  const plan = (hours: [number, string][], until: number) =>
    planWindows({
      carried: 0n,
      hours: hours.map(([hour, quantity]) => ({ hour: hourAt(hour), quantity: decimal(quantity) })),
      lastEnd: hourAt(0),
      from: hourAt(0),
      until: hourAt(until),
    })

  it('carry what is no whole number on', () => {
    expect(
      plan(
        [
          [0, '1.5'],
          [1, '0.25'],
          [3, '0.25'],
          [4, '2.9'],
        ],
        5,
      ),
    ).to.deep.equal([
      { start: hourAt(0), end: hourAt(1), quantity: 1n },
      { start: hourAt(1), end: hourAt(4), quantity: 1n },
      { start: hourAt(4), end: hourAt(5), quantity: 2n },
    ])
  })

  it('carry on what is more than the API takes at once', () => {
    expect(plan([[0, '3000000000']], 2).map(({ quantity }) => quantity)).to.deep.equal([2_147_483_647n, 852_516_353n])
  })

  it('sum to the usage less a fraction, whatever the order, lateness and number of runs', async () => {
    const record = fc.record({
      hour: fc.nat(47),
      // When it is known: late usage comes after its hour was cut.
      known: fc.nat(59),
      quantity: fc.bigInt(0n, 5n * SCALE),
    })
    await holds(
      fc.property(
        fc.array(record, { maxLength: 60 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 8 }),
        (records, runs) => {
          let windows: Window[] = []
          let from = 0
          for (const until of [...runs.sort((a, b) => a - b), 61]) {
            const known = records.filter((one) => one.known <= until)
            const earlier = known.filter(({ hour }) => hour < from)
            const hours = known.filter(({ hour }) => hour >= from && hour < until)
            const totals = new Map<number, bigint>()
            for (const { hour, quantity } of hours) totals.set(hour, (totals.get(hour) ?? 0n) + quantity)
            const allotted = windows.reduce((sum, { quantity }) => sum + quantity * SCALE, 0n)
            windows = windows.concat(
              planWindows({
                carried: earlier.reduce((sum, { quantity }) => sum + quantity, -allotted),
                hours: [...totals].map(([hour, quantity]) => ({ hour: hourAt(hour), quantity })),
                lastEnd: windows.at(-1)?.end ?? hourAt(0),
                from: hourAt(from),
                until: hourAt(until),
              }),
            )
            from = until
          }
          const total = records.reduce((sum, { quantity }) => sum + quantity, 0n)
          expect(windows.reduce((sum, { quantity }) => sum + quantity, 0n)).to.equal(total / SCALE)
          windows.forEach((window, index) => {
            expect(window.start).to.deep.equal(windows[index - 1]?.end ?? hourAt(0))
            expect(window.end > window.start && window.quantity > 0n).to.equal(true)
          })
          expect(new Set(windows.map((window) => timestampOf(window).getTime())).size).to.equal(windows.length)
        },
      ),
      500,
    )
  })
})

describe('consumers/metering/payments: calls of AWS', () => {
  it('take one product, 25 records and less than a megabyte each, and every record once', async () => {
    const record = fc.record({ product: fc.constantFrom('a', 'b', 'c'), bytes: fc.integer({ min: 100, max: 200_000 }) })
    await holds(
      fc.property(fc.array(record, { maxLength: 120 }), (made) => {
        const records = made.map((one, id) => ({ ...one, id }))
        const batches = batchesOf(records, ({ bytes }) => bytes)
        for (const batch of batches) {
          expect(new Set(batch.map(({ product }) => product)).size).to.equal(1)
          expect(batch.length).to.be.within(1, 25)
          expect(batch.reduce((sum, { bytes }) => sum + bytes, 0)).to.be.below(1_000_000)
        }
        expect(
          batches
            .flat()
            .map(({ id }) => id)
            .sort((a, b) => a - b),
        ).to.deep.equal(records.map(({ id }) => id))
      }),
    )
  })
})

describe('consumers/metering/payments: what AWS bills of an invoice', () => {
  const product = (more: object = {}) => ({
    package: 'p',
    meter: 'runs',
    since: new Date('2026-10-01T00:00:00Z'),
    ends_at: null as Date | null,
    ...more,
  })
  const used = { package: 'p', meter: 'runs', period: '2026-10' }
  const cases = [
    ['all of it', [used], [product()], 'whole'],
    ['nothing', [used], [], 'none'],
    ['another package', [{ ...used, package: 'q' }], [product()], 'none'],
    ['a fee beside the usage', [used, { package: 'p', period: '2026-10' }], [product()], 'part'],
    ['from the middle of the month', [used], [product({ since: new Date('2026-10-15T00:00:00Z') })], 'part'],
    ['until the middle of the month', [used], [product({ ends_at: new Date('2026-10-15T00:00:00Z') })], 'part'],
    ['until the month before', [used], [product({ ends_at: new Date('2026-10-01T00:00:00Z') })], 'none'],
    ['late usage of before', [used, { ...used, period: '2026-09' }], [product()], 'part'],
  ] as const
  for (const [what, lines, products, share] of cases)
    it(`${what}: ${share}`, () => {
      expect(shareElsewhere(lines, products)).to.equal(share)
    })
})
