import { expect } from 'chai'
import { Plan } from '../../../../consumers/metering/rating/plan.ts'
import { planFaults } from '../../../../consumers/metering/rating/plan-faults.ts'
import { faultsOf } from '../../../../platform/http/validate.ts'

const tiers = (...bounds: (string | null)[]): Plan => ({
  name: 'p',
  currency: 'USD',
  charges: [{ id: 'a', model: 'graduated', meter: 'm', tiers: bounds.map((up_to) => ({ up_to, unit_amount: '1' })) }],
})
const plan = (change: object = {}): object => ({
  name: 'p',
  currency: 'USD',
  charges: [{ id: 'a', model: 'per_unit', meter: 'm', unit_amount: '1' }],
  ...change,
})
const charge = (change: object): object =>
  plan({ charges: [{ id: 'a', model: 'per_unit', meter: 'm', unit_amount: '1', ...change }] })
const places = (faults: { pointer: string; code: string }[]) => faults.map(({ pointer, code }) => `${pointer} ${code}`)

describe('consumers/metering/rating/plan', () => {
  it('takes flat, per-unit and graduated charges with taxes', () => {
    const charges = [
      { id: 'fee', model: 'flat', flat_amount: '10' },
      {
        id: 'runs',
        model: 'per_unit',
        meter: 'm',
        unit_amount: '0.000000000001',
        aggregation: 'sum',
        description: 'Runs',
      },
      { id: 'more', model: 'graduated', meter: 'm', tiers: [{ up_to: '10', flat_amount: '1' }, { up_to: null }] },
    ]
    expect(
      faultsOf(
        Plan,
        plan({
          charges,
          taxes: [
            { name: 'VAT', percent: '8.875' },
            { name: 'all', percent: '100' },
          ],
        }),
      ),
    ).to.deep.equal([])
  })

  const refused: [string, object, string][] = [
    ['no charges', plan({ charges: [] }), '/charges'],
    ['no name', plan({ name: '' }), '/name'],
    ['a currency in small letters', plan({ currency: 'usd' }), '/currency'],
    ['an unknown member', plan({ rebate: 1 }), '/rebate'],
    ['a price that is a number', charge({ unit_amount: 0.5 }), '/charges/0'],
    ['a negative price', charge({ unit_amount: '-1' }), '/charges/0'],
    ['a price with 13 places', charge({ unit_amount: '0.0000000000001' }), '/charges/0'],
    ['an unknown model', charge({ model: 'magic' }), '/charges/0'],
    ['an aggregation it cannot do', charge({ aggregation: 'median' }), '/charges/0'],
    ['an id with spaces', charge({ id: 'a b' }), '/charges/0'],
    ['no tiers', charge({ model: 'graduated', tiers: [] }), '/charges/0'],
    ['a tax over 100 %', plan({ taxes: [{ name: 'x', percent: '100.1' }] }), '/taxes/0/percent'],
    ['a tax that is a number', plan({ taxes: [{ name: 'x', percent: 20 }] }), '/taxes/0/percent'],
  ]
  for (const [what, body, pointer] of refused)
    it(`refuses ${what}`, () => {
      const [fault] = faultsOf(Plan, body)
      expect(fault?.pointer.startsWith(pointer), JSON.stringify(fault)).to.equal(true)
    })

  const faulty: [string, Plan, string[]][] = [
    ['rising tiers with an open end', tiers('1', '2.5', null), []],
    ['one open tier', tiers(null), []],
    ['no open end', tiers('1', '2'), ['/charges/0/tiers/1/up_to no_open_end']],
    ['an open tier in the middle', tiers('1', null, null), ['/charges/0/tiers/1/up_to open_end']],
    ['bounds that fall', tiers('2', '1', null), ['/charges/0/tiers/1/up_to not_rising']],
    ['a bound twice', tiers('1', '1.000', null), ['/charges/0/tiers/1/up_to not_rising']],
    ['a first bound of zero', tiers('0', null), ['/charges/0/tiers/0/up_to not_rising']],
    [
      'several faults',
      tiers('0', null, '3'),
      [
        '/charges/0/tiers/0/up_to not_rising',
        '/charges/0/tiers/1/up_to open_end',
        '/charges/0/tiers/2/up_to no_open_end',
      ],
    ],
  ]
  for (const [what, body, expected] of faulty)
    it(`${expected.length === 0 ? 'takes' : 'points at'} ${what}`, () => {
      expect(faultsOf(Plan, body)).to.deep.equal([])
      expect(places(planFaults(body))).to.deep.equal(expected)
    })

  it('points at a repeated id', () => {
    const twice = tiers(null)
    expect(places(planFaults({ ...twice, charges: [...twice.charges, ...twice.charges] }))).to.deep.equal([
      '/charges/1/id repeated',
    ])
  })
})
