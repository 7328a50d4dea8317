import { expect } from 'chai'
import fc from 'fast-check'
import { parseUtcTime, periodBounds, periodOf } from '../../platform/utc-time.ts'
import { holds } from '../support/property.ts'

describe('platform/utc-time', () => {
  it('reads every instant that it writes', () =>
    holds(
      fc.property(
        fc.date({ min: new Date('1970-01-01'), max: new Date('2199-12-31'), noInvalidDate: true }),
        (time) => {
          expect(parseUtcTime(time.toISOString())?.getTime()).to.equal(time.getTime())
        },
      ),
    ))

  const read: [string, string][] = [
    ['2026-11-02T10:00:00Z', '2026-11-02T10:00:00.000Z'],
    ['2026-11-02t10:00:00z', '2026-11-02T10:00:00.000Z'],
    ['2026-11-02T10:00:00.5Z', '2026-11-02T10:00:00.500Z'],
    ['2026-11-02T10:00:00.123456789Z', '2026-11-02T10:00:00.123Z'],
    ['2026-11-01T00:30:00+01:00', '2026-10-31T23:30:00.000Z'],
    ['2026-10-31T23:30:00-05:30', '2026-11-01T05:00:00.000Z'],
    ['2028-02-29T12:00:00Z', '2028-02-29T12:00:00.000Z'],
  ]
  for (const [text, iso] of read)
    it(`reads ${text} as ${iso}`, () => {
      expect(parseUtcTime(text)?.toISOString()).to.equal(iso)
    })

  const refused = [
    '2026-02-30T10:00:00Z',
    '2026-02-29T10:00:00Z',
    '2026-04-31T10:00:00Z',
    '2026-13-01T10:00:00Z',
    '2026-00-10T10:00:00Z',
    '2026-11-02T24:00:00Z',
    '2026-11-02T10:60:00Z',
    '2026-11-02T23:59:60Z',
    '2026-11-02T10:00:00',
    '2026-11-02T10:00Z',
    '2026-11-02',
    '2026-11-02 10:00:00Z',
    '2026-11-02T10:00:00+0100',
    '2026-11-02T10:00:00+99:99',
    '20261102T100000Z',
    '+002026-11-02T10:00:00Z',
    '1762077600',
    '',
  ]
  for (const text of refused)
    it(`refuses ${text || 'nothing'}`, () => {
      expect(parseUtcTime(text)).to.equal(null)
    })

  it('puts an instant into the month of its UTC day', () => {
    expect(periodOf(new Date('2026-11-30T23:59:59.999Z'))).to.equal('2026-11')
    expect(periodOf(new Date('2026-12-01T00:00:00Z'))).to.equal('2026-12')
  })

  it('bounds a month by its first instant and the one of the next', () => {
    const { start, end } = periodBounds('2026-12')
    expect([start.toISOString(), end.toISOString()]).to.deep.equal([
      '2026-12-01T00:00:00.000Z',
      '2027-01-01T00:00:00.000Z',
    ])
  })
})
