import { expect } from 'chai'
import fc from 'fast-check'
import { deductionQueue } from '../../../../consumers/metering/credits/deduction-queue.ts'
import { expireCredits, voidCredit } from '../../../../consumers/metering/credits/end-credit.ts'
import { grantCredit } from '../../../../consumers/metering/credits/grant-credit.ts'
import { markStale } from '../../../../consumers/metering/open-invoices.ts'
import { formatDecimal, SCALE } from '../../../../platform/decimal.ts'
import { holds } from '../../../support/property.ts'
import { type Billing, openBilling, perUnit } from '../fixture.ts'

const MONTHS = ['2026-10', '2026-11'] as const
const METERS = ['runs', 'storage'] as const
const plan = perUnit('0.07', {
  charges: METERS.map((meter) => ({ id: meter, model: 'per_unit', meter, unit_amount: '0.07' })),
  taxes: [{ name: 'VAT', percent: '19' }],
})

const cents = (max: number) => fc.integer({ min: 1, max }).map((n) => formatDecimal((BigInt(n) * SCALE) / 100n))
const scope = fc.constantFrom(null, ['runs'], ['storage'], ['runs', 'storage'])
const act = fc.oneof(
  fc.record({
    do: fc.constant('grant' as const),
    amount: cents(900),
    kind: fc.constantFrom('paid' as const, 'promotional' as const),
    priority: fc.nat(2),
    expiresIn: fc.constantFrom(null, 0, 1),
    applies_to: scope,
  }),
  fc.record({
    do: fc.constant('deduct' as const),
    id: fc.nat(5),
    amount: cents(300),
    meter: fc.constantFrom(...METERS),
  }),
  fc.record({ do: fc.constant('deduct' as const), id: fc.nat(5), amount: cents(300), meter: fc.constant(undefined) }),
  fc.record({
    do: fc.constant('use' as const),
    meter: fc.constantFrom(...METERS),
    quantity: fc.integer({ min: 1, max: 60 }),
  }),
  fc.record({ do: fc.constant('issue' as const), month: fc.nat(1) }),
  fc.record({ do: fc.constant('expire' as const), month: fc.nat(1) }),
  fc.record({ do: fc.constant('void' as const), nth: fc.nat(3) }),
)
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never

describe('consumers/metering/credits: whatever happens in whatever order', function () {
  this.timeout(120_000)
  let billing: Billing
  let planId = ''
  let tenants = 0
  before(async () => {
    billing = await openBilling('2026-10-01T00:00:00Z')
    planId = await billing.sell('restart-workers', plan, [])
  })
  after(() => billing.close())

  async function newTenant(): Promise<string> {
    tenants += 1
    const tenant = `wallet-${tenants}`
    await billing.owner("insert into platform.orgs values (?, ?, 'member', now())", [tenant, tenant])
    await billing.owner(
      `insert into metering.subscriptions values (?, gen_random_uuid(), 'demo', 'restart-workers', ?, 'USD', '2026-01-01', null)`,
      [tenant, planId],
    )
    return tenant
  }

  /** One act; `n` keeps what is made by it apart. */
  async function doIt(tenant: string, one: Act, n: number, queue: ReturnType<typeof deductionQueue>): Promise<void> {
    const { deps, clock } = billing
    const within = deps.allTenants.transaction
    if (one.do === 'grant') {
      const { amount, kind, priority, applies_to, expiresIn } = one
      const expires_at = expiresIn === null ? null : new Date(Date.UTC(2026, 10 + expiresIn))
      const about = { tenant, source: 'manual' as const, reference: `g-${n}`, kind, currency: 'USD', amount, priority }
      const more = { starts_at: clock(), expires_at, applies_to, package: null, partner: null }
      await within((tx) => grantCredit(tx, { ...about, ...more }, clock()))
    }
    if (one.do === 'deduct') {
      const asked = { id: `d-${one.id}`, amount: one.amount, ...(one.meter ? { meter: one.meter } : {}) }
      const outcome = await queue(tenant, asked)
      if (outcome.is === 'insufficient') expect(Number(outcome.left)).to.be.below(Number(one.amount))
    }
    if (one.do === 'use') {
      const hour = `${MONTHS[clock() < new Date('2026-11-01') ? 0 : 1]}-01T00:00:00Z`
      await within(async (tx) => {
        await tx.raw(
          `insert into metering.rollups (tenant, hour, meter, package, dimensions, dimensions_key, quantity, records)
           values (?, ?, ?, 'restart-workers', '{}', ?, ?, 1)`,
          [tenant, hour, one.meter, Buffer.from([n]), one.quantity],
        )
        await markStale(tx, tenant, [hour.slice(0, 7)])
      })
    }
    if (one.do === 'issue') await billing.issue(MONTHS[one.month] as string)
    if (one.do === 'expire') {
      if (one.month === 1) clock.set('2026-11-15T00:00:00Z')
      await expireCredits(deps)
    }
    if (one.do === 'void') {
      const found = await billing.owner<{ id: string }>(
        'select id from metering.credits where tenant = ? order by id',
        [tenant],
      )
      const id = found[one.nth]?.id
      if (id) await within((tx) => voidCredit(tx, tenant, id, 'a test', clock()))
    }
  }

  async function compare(tenant: string): Promise<void> {
    const [got] = await billing.owner<Record<string, string | number>>(
      `with c as (select * from metering.credits where tenant = ?),
         m as (select * from metering.credit_movements where tenant = ?),
         i as (select convert_from(body, 'UTF8')::jsonb as body from metering.invoices where tenant = ? and status = 'issued'),
         l as (select account, sum(amount) as sum from metering.ledger where tenant = ? group by account)
       select (select count(*)::int from c where remaining < 0 or on_account < 0) as below,
         (select count(*)::int from c where amount - remaining is distinct from
            coalesce((select sum(m.amount) from m where m.credit_id = c.id), 0)) as unmoved,
         (select coalesce(sum(remaining), 0) from c) + coalesce((select sum from l where account = 'prepaid_credits'), 0)
           as unbooked,
         coalesce((select sum(amount) from metering.credit_deductions where tenant = ?), 0)
           - coalesce((select sum(amount) from m where kind = 'deduction'), 0) as undeducted,
         -- All that was deducted is on an invoice or still to come onto one.
         coalesce((select sum(amount) from m where kind in ('deduction', 'invoice')), 0)
           - (select coalesce(sum(on_account), 0) from c)
           - coalesce((select sum((body ->> 'credits_applied')::numeric) from i), 0) as unbilled,
         coalesce((select sum from l where account = 'tenant_receivable'), 0)
           - coalesce((select sum((body ->> 'amount_due')::numeric) from i), 0)
           + (select coalesce(sum(on_account), 0) from c) as unpaid,
         (select count(*)::int from i where (body ->> 'amount_due')::numeric < 0) as overpaid,
         (select count(*)::int from i where (body ->> 'credits_applied')::numeric is distinct from
            coalesce((select sum((u ->> 'amount')::numeric) from jsonb_array_elements(body -> 'credits') u), 0)) as unnamed`,
      Array.from({ length: 5 }, () => tenant),
    )
    const off = Object.entries(got ?? {}).filter(([, value]) => Number(value) !== 0)
    expect(off, tenant).to.deep.equal([])
  }

  it('nothing goes below zero, and credits, movements, invoices and the ledger say the same', async () => {
    // Each inner list happens at once, through the queues of two processes.
    const rounds = fc.array(fc.array(act, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 })
    const property = fc.asyncProperty(rounds, async (all) => {
      billing.clock.set('2026-10-20T00:00:00Z')
      const tenant = await newTenant()
      const queues = [deductionQueue(billing.deps), deductionQueue(billing.deps)] as const
      let n = 0
      for (const at of all) {
        const next = (one: Act) => {
          n += 1
          return doIt(tenant, one, n, queues[n % 2 === 0 ? 0 : 1])
        }
        // Usage of one tenant is counted by one consumer, report by report.
        for (const one of at) if (one.do === 'use') await next(one)
        await Promise.all(at.filter((one) => one.do !== 'use').map(next))
        await compare(tenant)
      }
      expect([...billing.deps.failing]).to.deep.equal([])
    })
    await holds(property, 60)
  })
})
