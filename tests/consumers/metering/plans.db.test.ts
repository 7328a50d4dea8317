import { expect } from 'chai'
import { publish } from '../../../platform/bus/outbox.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { type Billing, openBilling, type Problem, perUnit } from './fixture.ts'

type Plans = { plans: { id: string; name: string; partner: string }[]; next: string | null }
type Subscriptions = {
  subscriptions: { id: string; tenant: string; partner: string; package: string }[]
  next: string | null
}

describe('consumers/metering: plans and subscriptions', () => {
  let billing: Billing
  let planId: string
  before(async () => {
    billing = await openBilling()
    planId = await billing.sell('restart-workers', perUnit('0.50'), ['acme'])
  })
  after(() => billing.close())

  const create = (json: object, as = billing.tokens.demo) =>
    billing.call<Problem & { id: string }>('POST', '/billing/plans', { as, json })
  const subscribe = (json: object, as = billing.tokens.globex) =>
    billing.call<Problem & { id: string; tenant: string; starts_at: string }>('POST', '/billing/subscriptions', {
      as,
      json,
    })
  const plans = async (as: string, query = '') =>
    (await billing.call<Plans>('GET', `/billing/plans${query}`, { as })).body
  const subscriptions = async (as: string) =>
    (await billing.call<Subscriptions>('GET', '/billing/subscriptions', { as })).body.subscriptions

  describe('plans', () => {
    const faults: [string, object, string, string][] = [
      ['an unknown currency', perUnit('1', { currency: 'XYZ' }), '/currency', 'currency_unknown'],
      ['a time that is none', perUnit('1', { effective_from: 'soon' }), '/effective_from', 'time_invalid'],
      [
        'a day that does not exist',
        perUnit('1', { effective_from: '2026-02-30T00:00:00Z' }),
        '/effective_from',
        'time_invalid',
      ],
      [
        'tiers without an open end',
        perUnit('1', { charges: [{ id: 'a', model: 'graduated', meter: 'm', tiers: [{ up_to: '1' }] }] }),
        '/charges/0/tiers/0/up_to',
        'no_open_end',
      ],
    ]
    for (const [what, json, pointer, code] of faults)
      it(`are refused for ${what}, at its place`, async () => {
        const { status, body } = await create(json)
        expect([status, body.code]).to.deep.equal([400, 'plan_invalid'])
        expect(body.errors.map((fault) => [fault.pointer, fault.code])).to.deep.equal([[pointer, code]])
      })

    it('are refused with every fault at once', async () => {
      const charges = [
        { id: 'a', model: 'graduated' as const, meter: 'm', tiers: [{ up_to: '2' }, { up_to: '1' }, { up_to: null }] },
        { id: 'a', model: 'flat' as const, flat_amount: '1' },
      ]
      const { body } = await create(perUnit('1', { charges, currency: 'XYZ', effective_from: 'x' }))
      expect(body.errors.map(({ pointer }) => pointer).sort()).to.deep.equal([
        '/charges/0/tiers/1/up_to',
        '/charges/1/id',
        '/currency',
        '/effective_from',
      ])
    })

    it('are refused when they hold text that cannot be kept', async () => {
      for (const name of ['a\0b', 'half \ud83d']) {
        const { status } = await create(perUnit('1', { name }))
        expect(status, JSON.stringify(name)).to.equal(400)
      }
    })

    it('are made by partners only', async () => {
      for (const as of [
        billing.tokens.acme,
        billing.tokens.finance,
        await billing.organisations.apiKey('demo', 'publish', 'report', 'read'),
      ])
        expect((await create(perUnit('1'), as)).status).to.equal(403)
    })

    it('are seen by their partner, by who subscribed to one, and by operators', async () => {
      await create(perUnit('2', { name: 'unsold' }))
      const names = async (as: string) => (await plans(as)).plans.map(({ name }) => name)
      expect(await names(billing.tokens.demo)).to.deep.equal(['unsold', 'per run'])
      expect(await names(billing.tokens.finance)).to.deep.equal(['unsold', 'per run'])
      expect(await names(billing.tokens.acme)).to.deep.equal(['per run'])
      expect(await names(billing.tokens.globex)).to.deep.equal([])
    })

    it('page without losing one, and refuse a forged cursor', async () => {
      for (let n = 0; n < 3; n++) await create(perUnit('1', { name: `paged-${n}` }))
      const all = (await plans(billing.tokens.demo)).plans.map(({ id }) => id)
      const seen: string[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const found: Plans = await plans(billing.tokens.demo, `?limit=2${cursor ? `&cursor=${cursor}` : ''}`)
        seen.push(...found.plans.map(({ id }) => id))
        cursor = found.next
      }
      expect(seen).to.deep.equal(all)
      for (const path of ['/billing/plans', '/billing/subscriptions', '/billing/invoices', '/billing/ledger']) {
        const forged = Buffer.from(JSON.stringify(['x'])).toString('base64url')
        const { status, body } = await billing.call<Problem>('GET', `${path}?cursor=${forged}`, {
          as: billing.tokens.finance,
        })
        expect([status, body.code], path).to.deep.equal([400, 'parameter_invalid'])
      }
    })
  })

  describe('subscriptions', () => {
    it('are made by a tenant for itself, from now on', async () => {
      const { status, body } = await subscribe({ package: 'restart-workers', plan_id: planId })
      expect([status, body.tenant, body.starts_at]).to.deep.equal([201, 'globex', '2026-11-10T10:00:00.000Z'])
      const again = await subscribe({ package: 'restart-workers', plan_id: planId })
      expect([again.status, again.body.code]).to.deep.equal([409, 'already_subscribed'])
    })

    it('are seen by both sides and by nobody else', async () => {
      const tenants = async (as: string) => (await subscriptions(as)).map(({ tenant }) => tenant).sort()
      expect(await tenants(billing.tokens.acme)).to.deep.equal(['acme'])
      expect(await tenants(billing.tokens.globex)).to.deep.equal(['globex'])
      expect(await tenants(billing.tokens.demo)).to.deep.equal(['acme', 'globex'])
    })

    it('need a published package and a plan of its owner', async () => {
      const plan = await create(perUnit('1', { name: 'other' }))
      await billing.owner("insert into metering.packages values ('acme', 'acme-tool', now())")
      const refused: [object, string][] = [
        [{ package: 'unknown', plan_id: planId }, 'package_unknown'],
        [{ package: 'restart-workers', plan_id: '0192f6a0-0000-7000-8000-000000000001' }, 'plan_unknown'],
        [{ package: 'acme-tool', plan_id: plan.body.id }, 'plan_unknown'],
      ]
      for (const [json, code] of refused) {
        const { status, body } = await subscribe(json)
        expect([status, body.code]).to.deep.equal([404, code])
      }
      expect((await subscribe({ package: 'restart-workers', plan_id: 'x' })).body.errors[0]?.pointer).to.equal(
        '/plan_id',
      )
    })

    it('of another, or from the past, only finance may make', async () => {
      const for_ = (tenant: string, as: string, more: object = {}) =>
        subscribe({ package: 'restart-workers', plan_id: planId, tenant, ...more }, as)
      expect((await for_('acme', billing.tokens.globex)).body.code).to.equal('forbidden')
      expect(
        (await subscribe({ package: 'restart-workers', plan_id: planId, starts_at: '2026-11-10T09:59:59Z' })).body.code,
      ).to.equal('forbidden')
      expect((await for_('globex', billing.tokens.demo)).body.code, 'a partner for its customer').to.equal('forbidden')
      expect(
        (await subscribe({ package: 'restart-workers', plan_id: planId }, billing.tokens.finance)).status,
        'finance names the tenant',
      ).to.equal(400)
      expect((await for_('nobody', billing.tokens.finance)).status).to.equal(404)
      const past = await for_('demo', billing.tokens.finance, { starts_at: '2026-11-01T00:00:00Z' })
      expect([past.status, past.body.starts_at]).to.deep.equal([201, '2026-11-01T00:00:00.000Z'])
    })

    it('are all in one currency', async () => {
      await billing.owner("insert into metering.packages values ('demo', 'euro-tool', now())")
      const euro = await create(perUnit('1', { name: 'euro', currency: 'EUR' }))
      const { status, body } = await subscribe({ package: 'euro-tool', plan_id: euro.body.id })
      expect([status, body.code]).to.deep.equal([409, 'currency_mismatch'])
    })

    it('that price usage reported before them set the currency of the open invoice', async () => {
      await billing.owner("insert into platform.orgs values ('initech', 'initech', 'member', now())")
      const token = await billing.organisations.token('initech', 'tenant')
      await billing.report([{ id: 'early', meter: 'runs', quantity: '1', time: '2026-11-10T09:00:00Z' }], token)
      await billing.counted()
      await billing.owner("insert into metering.packages values ('demo', 'yen-tool', now())")
      const yen = await create(perUnit('120', { name: 'yen', currency: 'JPY' }))
      await subscribe(
        { package: 'yen-tool', plan_id: yen.body.id, tenant: 'initech', starts_at: '2026-11-01T00:00:00Z' },
        billing.tokens.finance,
      )
      expect(await billing.invoice('initech')).to.include({ currency: 'JPY', total: '120' })
      await billing.refresh()
      const { body } = await billing.call<{ invoices: { tenant: string; currency: string }[] }>(
        'GET',
        '/billing/invoices',
        { as: token },
      )
      expect(body.invoices).to.deep.include.members([{ ...body.invoices[0], tenant: 'initech', currency: 'JPY' }])
    })

    it('may be taken once their package is published', async () => {
      await billing.consume()
      const event = wpkPublished.create(
        { ...wpkPublished.example, name: 'fresh-tool', org: 'demo' },
        { source: '//test', now: billing.clock() },
      )
      await billing.deps.db.transaction((tx) => publish(tx, wpkPublished, [event]))
      await billing.counted()
      expect((await subscribe({ package: 'fresh-tool', plan_id: planId })).status).to.equal(201)
    })
  })
})
