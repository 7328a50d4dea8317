import { expect } from 'chai'
import fc from 'fast-check'
import { decimal } from '../../../platform/decimal.ts'
import { checkRecord } from '../../../producers/usage/check-record.ts'
import { recordCodes } from '../../../producers/usage/errors.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { holds } from '../../support/property.ts'

const now = new Date('2026-11-02T10:00:00.000Z')
const good = { id: 'run-1', meter: 'workflow_runs', quantity: '3', time: '2026-11-02T09:59:00Z' }
const check = (change: object) => checkRecord({ ...good, ...change }, now)
const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
const faultOf = (result: ReturnType<typeof checkRecord>) =>
  'fault' in result ? `${result.fault.code} ${result.fault.pointer}` : 'accepted'
const dimensions = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`d${n}`, 'x']))

describe('producers/usage/check-record', () => {
  const accepted: [string, object, object][] = [
    ['a decimal string', { quantity: '1.5' }, { quantity: '1.5' }],
    ['a JSON integer', { quantity: 42 }, { quantity: '42' }],
    ['the largest exact JSON integer', { quantity: 9_007_199_254_740_991 }, { quantity: '9007199254740991' }],
    ['zero', { quantity: '0' }, { quantity: '0' }],
    ['minus nothing', { quantity: '-0.0' }, { quantity: '0' }],
    ['a quantity with zeros around it', { quantity: '007.500' }, { quantity: '7.5' }],
    ['12 places', { quantity: '0.000000000001' }, { quantity: '0.000000000001' }],
    ['18 digits before the point', { quantity: '9'.repeat(18) }, { quantity: '9'.repeat(18) }],
    ['a time with an offset', { time: '2026-11-02T11:59:00+02:00' }, { time: '2026-11-02T09:59:00.000Z' }],
    ['a time with nanoseconds', { time: '2026-11-02T09:59:00.123456789Z' }, { time: '2026-11-02T09:59:00.123Z' }],
    ['a time 95 days old', { time: '2026-07-30T10:00:00Z' }, { time: '2026-07-30T10:00:00.000Z' }],
    ['a time 5 minutes ahead', { time: '2026-11-02T10:05:00Z' }, { time: '2026-11-02T10:05:00.000Z' }],
    ['an id of every printable character', { id: `!~${'x'.repeat(126)}` }, { id: `!~${'x'.repeat(126)}` }],
    ['a package', { package: 'restart-workers' }, { package: 'restart-workers' }],
    ['a package version', { package: 'restart-workers@1.0.0-rc.1+b' }, { package: 'restart-workers@1.0.0-rc.1+b' }],
    ['a meter in any script', { meter: 'Läufe 数 🚀' }, { meter: 'Läufe 数 🚀' }],
    [
      'dimensions in any script',
      { dimensions: { region: 'Zürich 🏔', hidden: '' } },
      { dimensions: { region: 'Zürich 🏔', hidden: '' } },
    ],
    ['16 dimensions', { dimensions: dimensions(16) }, { dimensions: dimensions(16) }],
  ]
  for (const [what, change, expected] of accepted)
    it(`accepts ${what}`, () => {
      const result = check(change)
      expect(faultOf(result)).to.equal('accepted')
      expect('record' in result && result.record).to.deep.include(expected)
    })

  const refused: [string, unknown, string][] = [
    ['nothing', null, 'record_malformed '],
    ['a text', 'run', 'record_malformed '],
    ['a list', [good], 'record_malformed '],
    ['a record without an id', without('id'), 'id_invalid /id'],
    ['a record without a meter', without('meter'), 'meter_invalid /meter'],
    ['a record without a quantity', without('quantity'), 'quantity_invalid /quantity'],
    ['a record without a time', without('time'), 'time_invalid /time'],
    ['an unknown member', { ...good, qantity: 1 }, 'record_malformed /qantity'],
    ['an unknown member with slashes', { ...good, 'a/b~': 1 }, 'record_malformed /a~1b~0'],
    ...['', 'a b', 'ü', 'x'.repeat(129), 'a\n', 7, null].map((id): [string, unknown, string] => [
      `the id ${JSON.stringify(id)?.slice(0, 12)}`,
      { ...good, id },
      'id_invalid /id',
    ]),
    ...['', 'a\0', 'a\nb', 'x'.repeat(129), 'half \ud83d', 5].map((meter): [string, unknown, string] => [
      `the meter ${JSON.stringify(meter).slice(0, 12)}`,
      { ...good, meter },
      'meter_invalid /meter',
    ]),
    ...['', ' 1', '1e3', '0x1', '1,5', 'NaN', '.5', '1.', null, true, {}, ['1']].map(
      (quantity): [string, unknown, string] => [
        `the quantity ${JSON.stringify(quantity)}`,
        { ...good, quantity },
        'quantity_invalid /quantity',
      ],
    ),
    ...[0.1, 1.5, 9_007_199_254_740_992, 1e21].map((quantity): [string, unknown, string] => [
      `the number ${quantity}`,
      { ...good, quantity },
      'quantity_inexact /quantity',
    ]),
    ...['-1', '-0.000000000001', -5].map((quantity): [string, unknown, string] => [
      `the quantity ${quantity}`,
      { ...good, quantity },
      'quantity_negative /quantity',
    ]),
    ...['1'.repeat(19), '1'.repeat(31), '0.0000000000001'].map((quantity): [string, unknown, string] => [
      `the quantity ${quantity}`,
      { ...good, quantity },
      'quantity_too_large /quantity',
    ]),
    ...['', 'today', '2026-02-30T10:00:00Z', '2026-11-02', '2026-11-02T10:00:00', 1_762_077_600].map(
      (time): [string, unknown, string] => [`the time ${time}`, { ...good, time }, 'time_invalid /time'],
    ),
    ['a time over 95 days old', { ...good, time: '2026-07-30T09:59:59.999Z' }, 'too_old /time'],
    ['a time over 5 minutes ahead', { ...good, time: '2026-11-02T10:05:00.001Z' }, 'in_future /time'],
    ...['', 'Upper', 'a b', 'a@', '@1', 'a@1@2', 'x'.repeat(129), 3].map((of): [string, unknown, string] => [
      `the package ${of}`,
      { ...good, package: of },
      'package_invalid /package',
    ]),
    ['dimensions that are a list', { ...good, dimensions: [] }, 'dimensions_invalid /dimensions'],
    ['17 dimensions', { ...good, dimensions: dimensions(17) }, 'dimensions_invalid /dimensions'],
    ['a dimension that is a number', { ...good, dimensions: { region: 1 } }, 'dimensions_invalid /dimensions/region'],
    [
      'a dimension with a zero character',
      { ...good, dimensions: { region: 'a\0' } },
      'dimensions_invalid /dimensions/region',
    ],
    [
      'a dimension with half a character',
      { ...good, dimensions: { region: '\udc00' } },
      'dimensions_invalid /dimensions/region',
    ],
    ['a long dimension', { ...good, dimensions: { region: 'x'.repeat(257) } }, 'dimensions_invalid /dimensions/region'],
    [
      'a dimension whose name has a slash',
      { ...good, dimensions: { 'a/b': 'x' } },
      'dimensions_invalid /dimensions/a~1b',
    ],
    ['a tenant that is no text', { ...good, tenant: 5 }, 'record_malformed /tenant'],
  ]
  for (const [what, record, expected] of refused)
    it(`refuses ${what}`, () => {
      expect(faultOf(checkRecord(record, now))).to.equal(expected)
    })

  it('names the record by its id where the id can be read', () => {
    expect(check({ quantity: 'x' })).to.deep.include({ id: 'run-1' })
    expect(check({ id: 'a b' })).to.not.have.property('id')
  })

  it('says in words what each code means', () => {
    for (const detail of Object.values(recordCodes)) expect(detail).to.match(/^[a-z]/)
  })

  it('only lets through what its event may carry, in the spelling it keeps', () =>
    holds(
      fc.property(
        fc.record(
          {
            id: fc.string({ unit: 'binary', maxLength: 140 }),
            meter: fc.string({ unit: 'binary', maxLength: 140 }),
            quantity: fc.oneof(
              fc.string(),
              fc.double(),
              fc.maxSafeInteger(),
              fc.bigInt({ min: 0n, max: 10n ** 20n }).map(String),
            ),
            time: fc.oneof(
              fc.string(),
              fc
                .date({ min: new Date('2026-06-01'), max: new Date('2026-12-01'), noInvalidDate: true })
                .map((time) => time.toISOString()),
            ),
            package: fc.oneof(fc.string(), fc.constantFrom('a', 'a@1.0.0')),
            dimensions: fc.dictionary(
              fc.oneof(fc.string(), fc.constantFrom('region', 'zone')),
              fc.string({ unit: 'binary' }),
            ),
          },
          { requiredKeys: ['id', 'meter', 'quantity', 'time'] },
        ),
        (sent) => {
          const result = checkRecord(sent, now)
          if ('fault' in result) return
          const { records: _records, ...report } = usageReported.example
          expect(usageReported.problem({ ...report, records: [result.record] })).to.equal(null)
          expect(checkRecord(result.record, now)).to.deep.equal({ record: result.record, tenant: undefined })
          if (typeof sent.quantity === 'string')
            expect(decimal(result.record.quantity)).to.equal(decimal(sent.quantity))
        },
      ),
      1_000,
    ))
})
