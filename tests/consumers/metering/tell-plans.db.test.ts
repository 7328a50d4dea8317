import type { TSchema } from '@sinclair/typebox'
import { expect } from 'chai'
import { Plan } from '../../../consumers/metering/rating/plan.ts'
import { tellUntoldPlans } from '../../../consumers/metering/tell-plans.ts'
import { PlanTerms } from '../../../schemas/plan-terms.ts'
import { type Billing, openBilling, perUnit } from './fixture.ts'

type Told = { key: string; id: string; data: Record<string, unknown> }
type Made = { id: string }

describe('consumers/metering/tell-plans', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling('2026-11-10T10:00:00Z')
  })
  after(() => billing.close())

  const told = () =>
    billing.owner<Told>(
      `select key, headers->>'ce_id' as id, convert_from(value, 'utf8')::jsonb as data from platform.event_log
       where headers->>'ce_type' = 'plan.created' order by xid, pos`,
    )
  const make = (path: string, json: object) => billing.call<Made>('POST', path, { as: billing.tokens.demo, json })
  const telling = () => tellUntoldPlans({ allTenants: billing.deps.allTenants, now: billing.clock, wake: () => {} })

  it('tells of a plan and of each version of it, whole, in the order of their partner', async () => {
    const plan = perUnit('0.50', {
      minimum_commitment: '10',
      discounts: [{ percent: '5' }],
      taxes: [{ name: 'VAT', percent: '19' }],
    })
    const first = await make('/billing/plans', plan)
    const later = { ...plan, effective_from: '2026-11-15T00:00:00Z' }
    const second = await make(`/billing/plans/${first.body.id}/versions`, later)
    const { name, currency, effective_from: _, ...terms } = plan
    const common = { first_version: first.body.id, partner: 'demo', name, currency, terms }
    expect((await told()).map(({ key, id, data }) => [key, id, data])).to.deep.equal([
      [
        'demo',
        first.body.id,
        {
          ...common,
          id: first.body.id,
          effective_from: '2026-01-01T00:00:00.000Z',
          created_at: '2026-11-10T10:00:00.000Z',
        },
      ],
      [
        'demo',
        second.body.id,
        {
          ...common,
          id: second.body.id,
          effective_from: '2026-11-15T00:00:00.000Z',
          created_at: '2026-11-10T10:00:00.000Z',
        },
      ],
    ])
  })

  it('tells of no plan that was refused', async () => {
    const before = (await told()).length
    expect((await make('/billing/plans', perUnit('x'))).status).to.equal(400)
    expect(await told()).to.have.length(before)
  })

  it('tells once of plans that were stored before, also when two processes start at once', async () => {
    const { body } = await make('/billing/plans', perUnit('2'))
    await billing.owner('update metering.plans set told_at = null where id = ?', [body.id])
    await billing.owner(`delete from platform.event_log where headers->>'ce_id' = ?`, [body.id])
    await Promise.all([telling(), telling()])
    await telling()
    const again = (await told()).filter(({ id }) => id === body.id)
    expect(again.map(({ key, data }) => [key, data.terms])).to.deep.equal([['demo', { charges: perUnit('2').charges }]])
  })

  it('has a place in the event for every member that a plan may have, or says why not', () => {
    const notTold = new Set([
      // Beside the terms.
      ...['/name', '/currency', '/effective_from'],
      // No stored plan has it: it is for rehearsals.
      '/thresholds',
    ])
    const inPlan = placesOf(Plan).filter((place) => !notTold.has(place.split('/*')[0] ?? place))
    expect(placesOf(PlanTerms)).to.include.members(inPlan)
    expect(inPlan).to.include('/charges/*/tiers/*/rate_percent')
  })
})

/** Where members of a schema may stand; items of lists and members by name are `*`. */
function placesOf(schema: TSchema, at = ''): string[] {
  const branches: TSchema[] = schema.anyOf ?? schema.oneOf ?? []
  const members = Object.entries((schema.properties ?? {}) as Record<string, TSchema>)
  return [
    ...new Set([
      ...branches.flatMap((one) => placesOf(one, at)),
      ...members.flatMap(([name, one]) => [`${at}/${name}`, ...placesOf(one, `${at}/${name}`)]),
      ...(schema.items ? placesOf(schema.items, `${at}/*`) : []),
    ]),
  ]
}
