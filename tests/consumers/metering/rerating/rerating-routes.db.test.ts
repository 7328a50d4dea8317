import { expect } from 'chai'
import { type Billing, openBilling, type Problem, perUnit } from '../fixture.ts'
import { ask, look, type ReplayView, replay, workOff } from './replays.ts'

const used = (id: string, time = '2026-10-20T09:00:00Z') => ({ id, meter: 'runs', quantity: '1', time })

describe('consumers/metering: calls of /billing/replay', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling('2026-10-20T10:00:00Z')
    await billing.sell('one', perUnit('0.50'), ['acme', 'globex'])
    await billing.report([used('a')])
    await billing.report([used('b')], billing.tokens.globex)
    await billing.counted()
  })
  after(() => billing.close())
  afterEach(() => workOff(billing))
  const post = (json: object, as = billing.tokens.finance) =>
    billing.call<ReplayView & Problem>('POST', '/billing/replay', { as, json })

  it('are of finance; an administrator may look', async () => {
    const asked = await ask(billing, { period: '2026-10' })
    for (const as of [billing.tokens.demo, billing.tokens.acme, billing.tokens.admin]) {
      expect((await post({ period: '2026-10' }, as)).status).to.equal(403)
      expect((await billing.call('POST', `${asked.status_url}/cancel`, { as })).status).to.equal(403)
    }
    for (const path of ['/billing/replay', asked.status_url, `${asked.status_url}/tenants`]) {
      expect((await billing.call('GET', path, { as: billing.tokens.admin })).status, path).to.equal(200)
      for (const as of [billing.tokens.demo, billing.tokens.acme])
        expect((await billing.call('GET', path, { as })).status, path).to.equal(403)
    }
  })

  const refused: [string, object, number, string][] = [
    ['a month that is none', { period: '2026-13' }, 400, '/period'],
    ['a month that has not begun', { period: '2026-11' }, 400, '/period'],
    ['a time that is none', { period: '2026-10', as_of: 'yesterday' }, 400, '/as_of'],
    ['a time to come', { period: '2026-10', as_of: '2026-10-21T00:00:00Z' }, 400, '/as_of'],
    ['two prices', { period: '2026-10', plan: perUnit('1'), plan_version: 'x' }, 400, '/plan'],
    ['a price that cannot be', { period: '2026-10', plan: perUnit('-1') }, 400, '/plan/charges/0/unit_amount'],
    [
      'another currency',
      { period: '2026-10', tenant: 'acme', plan: perUnit('1', { currency: 'EUR' }) },
      400,
      '/plan/currency',
    ],
    ['an unknown member', { period: '2026-10', tenants: 'acme' }, 400, '/tenants'],
  ]
  for (const [what, json, expected, pointer] of refused)
    it(`refuse ${what}, at its place`, async () => {
      const { status, body } = await post(json)
      expect([status, body.errors[0]?.pointer], JSON.stringify(body)).to.deep.equal([expected, pointer])
    })

  it('answer 404 to a tenant, a plan or a replay that is not there', async () => {
    expect((await post({ period: '2026-10', tenant: 'nobody' })).status).to.equal(404)
    expect((await post({ period: '2026-10', plan_version: 'none' })).body.code).to.equal('plan_unknown')
    for (const id of ['none', '0192f6a0-0000-7000-8000-000000000002'])
      expect((await billing.call('GET', `/billing/replay/${id}`, { as: billing.tokens.finance })).status).to.equal(404)
  })

  it('make one replay of the same request while it is open, from however many callers', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => post({ period: '2026-10', tenant: 'acme' })))
    expect(new Set(answers.map(({ body }) => body.replay_id)).size).to.equal(1)
    expect(answers[0]?.headers.get('location')).to.equal(answers[0]?.body.status_url)
    await workOff(billing)
    const again = await post({ period: '2026-10', tenant: 'acme' })
    expect(again.body.replay_id).not.to.equal(answers[0]?.body.replay_id)
  })

  it('queue replays one behind the other, twenty at most, and call them off', async () => {
    const many = Array.from({ length: 20 }, (_, n) => ({ period: '2026-10', as_of: `2026-10-20T09:${10 + n}:00Z` }))
    const asked = await Promise.all(many.map((json) => ask(billing, json)))
    const full = await post({ period: '2026-10' })
    expect([full.status, full.body.code]).to.deep.equal([409, 'replay_queue_full'])
    const [first] = asked as [ReplayView]
    for (const { status_url } of asked.slice(1)) {
      const cancel = await billing.call<ReplayView>('POST', `${status_url}/cancel`, { as: billing.tokens.finance })
      expect([cancel.status, cancel.body.state]).to.deep.equal([200, 'cancelled'])
    }
    await workOff(billing)
    expect((await look(billing, first)).state).to.equal('done')
    const late = await billing.call<ReplayView>('POST', `${first.status_url}/cancel`, { as: billing.tokens.finance })
    expect(late.body.state, 'an ended one stays as it is').to.equal('done')
  })

  it('page the tenants of a replay by name', async () => {
    const { replay_id } = await replay(billing, { period: '2026-10' })
    const page = (query: string) =>
      billing.call<{ tenants: { tenant: string }[]; next: string | null }>(
        'GET',
        `/billing/replay/${replay_id}/tenants?limit=1${query}`,
        { as: billing.tokens.finance },
      )
    const first = await page('')
    const second = await page(`&cursor=${first.body.next}`)
    expect([first, second].map(({ body }) => body.tenants.map(({ tenant }) => tenant))).to.deep.equal([
      ['acme'],
      ['globex'],
    ])
    expect(second.body.next).to.equal(null)
  })
})
