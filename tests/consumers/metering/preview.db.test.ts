import { expect } from 'chai'
import fc from 'fast-check'
import type { Charge, Plan } from '../../../consumers/metering/rating/plan.ts'
import { holds } from '../../support/property.ts'
import { type Billing, openBilling, type Problem, type Record_ } from './fixture.ts'

type Bill = {
  currency: string
  lines: { amount: string; quantity?: string; dimensions?: object; period: string }[]
  subtotal: string
  total: string
  compared_to?: { total: string; difference: string }
  tenants?: { tenant: string; total: string; compared_to: { total: string; difference: string } }[]
  runs?: { at: string; total: string; threshold?: string }[]
}
const plan = (charges: Charge[], more: Partial<Plan> = {}): Plan => ({
  name: 'p',
  currency: 'USD',
  effective_from: '2026-01-01T00:00:00Z',
  charges,
  ...more,
})
const perUnit: Charge = { id: 'runs', model: 'per_unit', meter: 'runs', unit_amount: '0.50' }
const usage = [{ meter: 'runs', quantity: '3', time: '2026-11-02T00:00:00Z' }]

describe('consumers/metering: preview', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling()
  })
  after(() => billing.close())
  const preview = (json: object, as = billing.tokens.demo) =>
    billing.call<Bill & Problem>('POST', '/billing/preview', { as, json })

  it('is for finance and partners', async () => {
    const json = { plan: plan([perUnit]), usage }
    expect((await preview(json, billing.tokens.acme)).status).to.equal(403)
    expect((await preview(json, billing.tokens.finance)).body.total).to.equal('1.50')
    expect((await preview(json)).body.total).to.equal('1.50')
  })

  it('rates sent usage and changes nothing', async () => {
    const before = await billing.owner('select count(*) from metering.invoices')
    const { body } = await preview({
      plan: plan([perUnit]),
      usage,
      runs: ['2026-11-01T00:00:00Z', '2026-11-03T00:00:00Z'],
    })
    expect(body.runs?.map(({ total }) => total)).to.deep.equal(['0.00', '1.50'])
    expect(await billing.owner('select count(*) from metering.invoices')).to.deep.equal(before)
  })

  it('bills at thresholds as usage reaches them, and the rest at the end', async () => {
    const records = [1, 2, 3, 4].map((n) => ({ meter: 'runs', quantity: '30', time: `2026-11-0${n}T00:00:00Z` }))
    const { body } = await preview({
      plan: plan([perUnit], { thresholds: ['10', { amount: '20', recurring: true }] }),
      usage: records,
    })
    expect(body.runs?.map(({ at, total, threshold }) => [at.slice(0, 10), total, threshold])).to.deep.equal([
      ['2026-11-01', '15.00', '10'],
      ['2026-11-02', '15.00', '30'],
      ['2026-11-04', '30.00', '50'],
      ['2026-12-01', '0.00', undefined],
    ])
  })

  const refused: [string, object, string][] = [
    [
      'a gap at the end of its tiers',
      { plan: plan([{ id: 'a', model: 'volume', meter: 'm', tiers: [{ up_to: '1' }] }]) },
      '/plan/charges/0/tiers/0/up_to',
    ],
    ['a negative price', { plan: plan([{ ...perUnit, unit_amount: '-1' }]) }, '/plan/charges/0/unit_amount'],
    [
      'a number that is not finite',
      { plan: plan([{ ...perUnit, unit_amount: 'Infinity' }]) },
      '/plan/charges/0/unit_amount',
    ],
    ['an unknown member of a charge', { plan: plan([{ ...perUnit, units: '1' } as never]) }, '/plan/charges/0/units'],
    [
      'a discount on nothing it has',
      { plan: plan([perUnit], { discounts: [{ percent: '5', applies_to: ['walks'] }] }) },
      '/plan/discounts/0/applies_to/0',
    ],
    ['a time that is none', { runs: ['yesterday'] }, '/runs/0'],
    ['a quantity that is none', { usage: [{ ...usage[0], quantity: 'x' }] }, '/usage/0/quantity'],
    ['a negative sum', { usage: [{ ...usage[0], quantity: '-1' }] }, '/usage/0/quantity'],
    ['an unknown member of a record', { usage: [{ ...usage[0], unit: 'x' }] }, '/usage/0/unit'],
    [
      'a period that ends before it begins',
      { period: { from: '2026-11-02T00:00:00Z', to: '2026-11-01T00:00:00Z' } },
      '/period/to',
    ],
  ]
  for (const [what, change, pointer] of refused)
    it(`refuses ${what}, at its place`, async () => {
      const { status, body } = await preview({ plan: plan([perUnit]), usage, ...change })
      expect([status, body.errors[0]?.pointer], JSON.stringify(body)).to.deep.equal([400, pointer])
    })

  describe('of real usage', () => {
    before(async () => {
      await billing.sell('one', plan([perUnit], { name: 'now' }), ['acme', 'globex'])
      const record = (id: string, quantity: string): Record_ => ({
        id,
        meter: 'runs',
        package: 'one',
        quantity,
        time: '2026-11-05T00:00:00Z',
      })
      await billing.report([record('a', '10')])
      await billing.report([record('b', '4')], billing.tokens.globex)
      await billing.counted()
    })

    it('tells what another plan would change, tenant by tenant', async () => {
      const other = plan([{ ...perUnit, unit_amount: '0.75' }])
      const { body } = await preview({ plan: other, usage: { period: '2026-11' } })
      expect(body.compared_to).to.deep.equal({ total: '7.00', difference: '3.50' })
      expect(
        body.tenants?.map(({ tenant, total, compared_to }) => [tenant, total, compared_to.difference]),
      ).to.deep.equal([
        ['acme', '7.50', '2.50'],
        ['globex', '3.00', '1.00'],
      ])
      const one = await preview({ plan: other, usage: { tenant: 'acme', period: '2026-11' } })
      expect([one.body.total, one.body.compared_to?.total]).to.deep.equal(['7.50', '5.00'])
    })

    it('finds what only the other plan asks for: the largest and the last of the month', async () => {
      const charges = (['max', 'latest', 'weighted_sum'] as const).map((aggregation): Charge => {
        return { id: aggregation, model: 'per_unit', meter: 'runs', unit_amount: '0.50', aggregation }
      })
      const { body } = await preview({ plan: plan(charges), usage: { tenant: 'acme', period: '2026-11' } })
      // 10 from the beginning of the fifth of thirty days on.
      expect(body.lines.map(({ quantity }) => quantity)).to.deep.equal(['10', '10', '8.666666666667'])
    })

    it('is of a partner’s own subscribers only', async () => {
      const as = await billing.organisations.token('globex', 'partner')
      expect((await preview({ plan: plan([perUnit]), usage: { period: '2026-11' } }, as)).status).to.equal(404)
      const yen = plan([{ ...perUnit, unit_amount: '1' }], { currency: 'JPY' })
      expect((await preview({ plan: yen, usage: { period: '2026-11' } })).body.errors[0]?.pointer).to.equal(
        '/plan/currency',
      )
    })
  })

  it('takes ten thousand records with dimensions, and not one more', async () => {
    const usage = Array.from({ length: 10_000 }, (_, n) => ({
      ...{
        id: `r-${n}`,
        meter: 'runs',
        quantity: '1',
        time: '2026-11-03T10:00:00Z',
        received_at: '2026-11-03T10:00:00Z',
      },
      dimensions: { region: 'east', host: `h${n % 10}` },
    }))
    const { status, body } = await preview({ plan: plan([perUnit]), usage })
    expect([status, body.total]).to.deep.equal([200, '5000.00'])
    expect((await preview({ plan: plan([perUnit]), usage: [...usage, usage[0]] })).status).to.equal(400)
  })

  describe('and the invoice of the same usage', () => {
    it('agree for every aggregation, group, filter and price of single events', async () => {
      const charges: Charge[] = [
        ...(['sum', 'count', 'max', 'latest', 'average', 'unique'] as const).map(
          (aggregation): Charge => ({ id: aggregation, model: 'per_unit', meter: 'm', unit_amount: '1', aggregation }),
        ),
        {
          id: 'regions',
          model: 'volume',
          meter: 'm',
          group_by: ['region'],
          tiers: [
            { up_to: '5', unit_amount: '2' },
            { up_to: null, unit_amount: '1' },
          ],
        },
        { id: 'east', model: 'per_unit', meter: 'm', unit_amount: '3', filter: { region: ['east'] } },
        { id: 'people', model: 'per_unit', meter: 'm', unit_amount: '1', aggregation: 'unique', unique_by: 'person' },
        { id: 'level', model: 'per_unit', meter: 'm', unit_amount: '1', aggregation: 'weighted_sum' },
        {
          id: 'fee',
          model: 'percentage',
          meter: 'm',
          rate_percent: '10',
          fixed_amount: '0.30',
          free_events: 2,
          free_amount: '7',
        },
      ]
      const all = plan(charges, { name: 'all', minimum_commitment: '50' })
      await billing.sell('two', all, ['acme'])
      const record = fc.record({
        quantity: fc.integer({ min: 0, max: 900 }).map((cents) => String(cents / 100)),
        second: fc.integer({ min: 0, max: 9 * 86_400 }),
        region: fc.constantFrom('east', 'west', ''),
        person: fc.constantFrom('p', 'q', 'r'),
      })
      let run = 0
      const sent: object[] = []
      await holds(
        fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 8 }), async (made) => {
          run += 1
          const records = made.map(
            ({ quantity, second, region, person }, n): Record_ => ({
              id: `${run}-${n}`,
              meter: 'm',
              package: 'two',
              quantity,
              // Times apart: equal ones are ordered by id, which the database knows by its hash only.
              time: new Date(Date.parse('2026-11-01T00:00:00Z') + second * 1000 + run * 8 + n).toISOString(),
              dimensions: { ...(region ? { region } : {}), person },
            }),
          )
          await billing.report(records)
          await billing.counted()
          sent.push(...records.map(({ package: _package, ...one }) => one))
          const month = { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' }
          const rehearsed = await preview({ plan: { ...all, minimum_commitment: '0' }, usage: sent, period: month })
          expect(rehearsed.status, JSON.stringify(rehearsed.body).slice(0, 500)).to.equal(200)
          const invoice = await billing.invoice('acme', '2026-11')
          const shown = invoice.lines.filter((line) => line.package === 'two')
          const text = ({ quantity, amount, dimensions }: Bill['lines'][number]) =>
            `${JSON.stringify(dimensions)} ${quantity} ${amount}`
          expect(rehearsed.body.lines.map(text)).to.deep.equal(shown.map(text))
        }),
        12,
      )
    })
  })
})
