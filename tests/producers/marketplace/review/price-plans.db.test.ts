import { expect } from 'chai'
import { publish } from '../../../../platform/bus/outbox.ts'
import { planCreated } from '../../../../schemas/events/plan.created.ts'
import { eventually } from '../../../support/eventually.ts'
import type { LooseJson } from '../../../support/signed-forms.ts'
import { openReviewing, type Reviewing } from './working.ts'

const idOf = (n: number) => `0192f6a0-0000-7000-8000-${String(n).padStart(12, '0')}`
const terms = (unit_amount: string) => ({
  charges: [{ id: 'runs', model: 'per_unit', meter: 'workflow_runs', unit_amount }],
  minimum_commitment: '10',
})

describe('producers/marketplace/review/price-plans', () => {
  let market: Reviewing
  let held: string
  before(async () => {
    market = await openReviewing()
    held = await market.inReview('priced')
  })
  after(() => market.close())

  async function tell(n: number, change: { first?: number; from?: string; price?: string; partner?: string } = {}) {
    const event = planCreated.create(
      {
        ...{ id: idOf(n), first_version: idOf(change.first ?? n), partner: change.partner ?? 'demo' },
        ...{ name: `plan ${change.first ?? n}`, currency: 'EUR', terms: terms(change.price ?? '0.50') },
        effective_from: change.from ?? '2026-10-01T00:00:00.000Z',
        created_at: '2026-10-01T00:00:00.000Z',
      },
      { id: idOf(n), source: '//test', now: market.clock() },
    )
    await market.database.as('atom_app').transaction((tx) => publish(tx, planCreated, [event]))
    await eventually(`plan ${n} is known`, async () => {
      const [found] = await market.owner('select 1 from marketplace.price_plans where id = ?', [idOf(n)])
      return found !== undefined
    })
  }
  const plans = async (id = held) =>
    (await market.call<LooseJson>('GET', `/reviews/${id}`, { as: market.tokens.reviewer })).body.price_plans

  it('says null where the publisher asks for nothing', async () => {
    await tell(90, { partner: 'acme' })
    expect(await plans()).to.equal(null)
  })

  it('shows the version in force and those to come, and none that is over', async () => {
    await tell(1)
    await tell(2, { first: 1, from: '2026-11-01T00:00:00.000Z', price: '0.70' })
    await tell(3, { first: 1, from: '2026-12-01T00:00:00.000Z', price: '0.90' })
    await tell(4, { from: '2026-11-20T00:00:00.000Z' })
    const { partner, plans: shown, truncated } = await plans()
    expect({ partner, truncated }).to.deep.equal({ partner: 'demo', truncated: false })
    const flat = shown.map(({ id, versions }: LooseJson) => [
      id,
      versions.map((one: LooseJson) => [one.version, one.in_force, one.effective_from, one.charges[0].unit_amount]),
    ])
    expect(flat).to.deep.equal([
      [idOf(4), [[1, false, '2026-11-20T00:00:00.000Z', '0.50']]],
      [
        idOf(1),
        [
          [2, true, '2026-11-01T00:00:00.000Z', '0.70'],
          [3, false, '2026-12-01T00:00:00.000Z', '0.90'],
        ],
      ],
    ])
    expect(shown[1].versions[0]).to.include({ id: idOf(2), name: 'plan 1', currency: 'EUR', minimum_commitment: '10' })
  })

  it('shows the newest twenty and says that there are more', async () => {
    for (let n = 10; n < 30; n++) await tell(n)
    const { plans: shown, truncated } = await plans()
    expect([shown.length, shown[0].id, truncated]).to.deep.equal([20, idOf(29), true])
  })

  it('is for reviewers: a publisher of another organisation sees no row of it', async () => {
    const seen = await market.database
      .as('atom_app')
      .transaction((tx) => tx.raw('select id from marketplace.price_plans'), {
        scope: { org: 'acme', operator: false },
      })
    expect((seen as unknown as { rows: unknown[] }).rows).to.deep.equal([])
  })
})
