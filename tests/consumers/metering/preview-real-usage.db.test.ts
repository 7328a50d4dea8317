import { expect } from 'chai'
import type { Charge, Plan } from '../../../consumers/metering/rating/plan.ts'
import { type Billing, openBilling, type Problem, perUnit, type Record_ } from './fixture.ts'

type Bill = {
  total: string
  lines: { quantity?: string; amount: string }[]
  compared_to: { total: string; difference: string }
  tenants: { tenant: string; total: string; compared_to: { difference: string } }[]
  other_currencies?: { tenant: string; currency: string }[]
} & Problem
const priced = (charges: Charge[], more: Partial<Plan> = {}) => perUnit('1', { charges, ...more })
const charge = (id: string, more: Partial<Charge> = {}) =>
  ({ id, model: 'per_unit', meter: 'runs', unit_amount: '1', ...more }) as Charge

describe('consumers/metering: preview of real usage', () => {
  let billing: Billing
  const preview = async (json: object, as = billing.tokens.demo) =>
    (await billing.call<Bill>('POST', '/billing/preview', { as, json })).body
  const record = (id: string, quantity: string, time: string, name = 'one'): Record_ => ({
    id,
    meter: 'runs',
    quantity,
    time,
    package: name,
    dimensions: { region: 'east' },
  })

  /** globex sells `two` to acme for yen or dollars, beside what demo sells. */
  async function sellAlso(tenant: string, plan: Plan): Promise<string> {
    const partner = await billing.organisations.token('globex', 'partner')
    await billing.owner("insert into metering.packages values ('globex', 'two', now()) on conflict do nothing")
    const { body } = await billing.call<{ id: string }>('POST', '/billing/plans', { as: partner, json: plan })
    const json = { package: 'two', plan_id: body.id, tenant, starts_at: '2026-01-01T00:00:00Z' }
    const { status } = await billing.call('POST', '/billing/subscriptions', { as: billing.tokens.finance, json })
    expect(status).to.equal(201)
    return partner
  }

  beforeEach(async () => {
    billing = await openBilling('2026-11-10T10:00:00Z')
    const plan = await billing.sell('one', perUnit('0.50'))
    const json = perUnit('2.00', { effective_from: '2026-11-15T00:00:00Z' })
    const made = await billing.call('POST', `/billing/plans/${plan}/versions`, { as: billing.tokens.demo, json })
    expect(made.status).to.equal(201)
    billing.clock.set('2026-11-20T10:00:00Z')
    await billing.report([record('before', '3', '2026-11-14T10:00:00Z'), record('after', '4', '2026-11-16T10:00:00Z')])
    await billing.counted()
  })
  afterEach(() => billing.close())

  it('puts one price in the place of those that changed inside the month', async () => {
    const of = { tenant: 'acme', period: '2026-11' }
    const volume: Charge = {
      id: 'v',
      model: 'volume',
      meter: 'runs',
      tiers: [
        { up_to: '5', unit_amount: '9' },
        { up_to: null, unit_amount: '1' },
      ],
    }
    const once = await preview({ plan: priced([volume]), usage: of })
    expect(once.compared_to).to.deep.equal({ total: '9.50', difference: '-2.50' })
    expect(once.lines.map(({ quantity, amount }) => [quantity, amount])).to.deep.equal([['7', '7.00']])
    for (const [aggregation, quantity] of [
      ['latest', '4'],
      ['max', '4'],
      ['count', '2'],
      ['average', '3.5'],
    ] as const) {
      const { lines } = await preview({ plan: priced([charge('c', { aggregation })]), usage: of })
      expect(
        lines.map((line) => line.quantity),
        aggregation,
      ).to.deep.equal([quantity])
    }
  })

  it('refuses, at its place, what was not kept of the usage when it was counted', async () => {
    const lacking: [Partial<Charge>, string][] = [
      [{ aggregation: 'unique' }, '/plan/charges/0/aggregation'],
      [{ group_by: ['region'] }, '/plan/charges/0/group_by'],
      [{ filter: { region: 'east' } }, '/plan/charges/0/filter'],
      [{ model: 'percentage', rate_percent: '5', free_events: 2 } as Partial<Charge>, '/plan/charges/0/model'],
    ]
    for (const [more, pointer] of lacking) {
      const { unit_amount: _amount, ...one } = charge('c', more) as { unit_amount?: string }
      const plan = priced([('model' in more ? one : charge('c', more)) as Charge])
      const { errors } = await preview({ plan, usage: { tenant: 'acme', period: '2026-11' } })
      expect([errors?.[0]?.pointer, errors?.[0]?.code]).to.deep.equal([pointer, 'not_kept'])
    }
    const other = priced([charge('c', { meter: 'walks', aggregation: 'unique' })])
    expect((await preview({ plan: other, usage: { period: '2026-11' } })).total, 'a meter without usage').to.equal(
      '0.00',
    )
  })

  it('is of all partners for finance, or of the one it names; a partner may name itself only', async () => {
    const partner = await sellAlso('acme', perUnit('3'))
    await billing.report([record('two', '2', '2026-11-16T10:00:00Z', 'two')])
    await billing.counted()
    const plan = perUnit('10')
    const as = billing.tokens.finance
    const all = await preview({ plan, usage: { period: '2026-11' } }, as)
    expect([all.compared_to, all.total]).to.deep.equal([{ total: '15.50', difference: '74.50' }, '90.00'])
    const demos = await preview({ plan, usage: { period: '2026-11', partner: 'demo' } }, as)
    expect([demos.compared_to, demos.total]).to.deep.equal([{ total: '9.50', difference: '60.50' }, '70.00'])
    expect((await preview({ plan, usage: { period: '2026-11' } }, partner)).total).to.equal('20.00')
    expect((await preview({ plan, usage: { period: '2026-11', partner: 'demo' } }, partner)).code).to.equal('not_found')
  })

  it('leaves out, by name, tenants that pay in another currency', async () => {
    await sellAlso('globex', perUnit('300', { currency: 'JPY' }))
    const plan = perUnit('10')
    const found = await preview({ plan, usage: { period: '2026-11' } }, billing.tokens.finance)
    expect(found.tenants.map(({ tenant }) => tenant)).to.deep.equal(['acme'])
    expect(found.other_currencies).to.deep.equal([{ tenant: 'globex', currency: 'JPY' }])
    const one = await preview({ plan, usage: { period: '2026-11', tenant: 'globex' } }, billing.tokens.finance)
    expect(one.errors?.[0]?.pointer).to.equal('/plan/currency')
  })
})
