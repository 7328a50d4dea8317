import { expect } from 'chai'
import fc from 'fast-check'
import { uuidv7 } from 'uuidv7'
import { countReport } from '../../../../consumers/metering/count-report.ts'
import { deductionQueue } from '../../../../consumers/metering/credits/deduction-queue.ts'
import { expireCredits } from '../../../../consumers/metering/credits/end-credit.ts'
import { grantCredit } from '../../../../consumers/metering/credits/grant-credit.ts'
import { issueInvoice } from '../../../../consumers/metering/issue.ts'
import { creditInvoice, recordPayment, voidInvoice, writeOff } from '../../../../consumers/metering/life/acts.ts'
import { formatDecimal, SCALE } from '../../../../platform/decimal.ts'
import { AppError } from '../../../../platform/errors.ts'
import { usageReported } from '../../../../schemas/events/usage.reported.ts'
import { holds } from '../../../support/property.ts'
import { type Billing, openBilling, perUnit } from '../fixture.ts'

const MONTHS = ['2026-08', '2026-09', '2026-10'] as const
const plan = perUnit('0.37', { minimum_commitment: '1.00', taxes: [{ name: 'VAT', percent: '19' }] })

const cents = (max: number) => fc.integer({ min: 1, max }).map((n) => (BigInt(n) * SCALE) / 100n)
const nth = fc.nat(3)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ use: fc.nat(2), quantity: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ grant: cents(900), priority: fc.nat(2), days: fc.constantFrom(null, 1, 20, 50) }),
  },
  { weight: 3, arbitrary: fc.constant({ issue: true as const }) },
  { weight: 2, arbitrary: fc.record({ deduct: cents(300) }) },
  { weight: 3, arbitrary: fc.record({ credit: nth, amount: cents(500) }) },
  { weight: 2, arbitrary: fc.record({ pay: nth, amount: cents(300) }) },
  { weight: 2, arbitrary: fc.record({ void: nth, rebill: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ writeOff: nth }) },
  { weight: 1, arbitrary: fc.constant({ expire: true as const }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
/** What may be refused: by then something else had been done to the invoice. */
const REFUSED = ['invoice_action_refused', 'credit_exceeds_invoice', 'payment_exceeds_open']

describe('consumers/metering/credits: giving back, whatever happens in whatever order', function () {
  this.timeout(180_000)
  let billing: Billing
  let planId = ''
  let tenants = 0
  const seen = { returned: 0, voided: 0, extended: 0 }
  before(async () => {
    billing = await openBilling('2026-08-02T00:00:00Z')
    planId = await billing.sell('restart-workers', plan, [])
  })
  after(() => billing.close())

  async function newTenant(): Promise<string> {
    tenants += 1
    const tenant = `back-${tenants}`
    await billing.owner("insert into platform.orgs values (?, ?, 'member', now())", [tenant, tenant])
    await billing.owner(
      `insert into metering.subscriptions values (?, gen_random_uuid(), 'demo', 'restart-workers', ?, 'USD', '2026-01-01', null)`,
      [tenant, planId],
    )
    return tenant
  }

  async function use(tenant: string, month: string, quantity: number): Promise<void> {
    const record = { id: uuidv7(), meter: 'runs', quantity: String(quantity), time: `${month}-01T10:00:00.000Z` }
    const about = { report_id: uuidv7(), tenant, reporter: tenant, received_at: billing.clock().toISOString() }
    const event = usageReported.create(
      { ...about, root: 'd'.repeat(64), records: [{ ...record, package: 'restart-workers' }] },
      { source: '//test', now: billing.clock() },
    )
    await billing.deps.allTenants.transaction((tx) => countReport(tx, event, billing.clock()))
  }

  /** The month ends, and what is open and over is issued. */
  async function issue(tenant: string): Promise<void> {
    const open = await billing.owner<{ period: string }>(
      `select period from metering.invoices where tenant = ? and status = 'gathering' and period < to_char(?::timestamptz
         at time zone 'UTC', 'YYYY-MM') order by period`,
      [tenant, billing.clock()],
    )
    for (const { period } of open) await issueInvoice(billing.deps, tenant, period)
  }

  async function invoiceOf(tenant: string, which: number) {
    const issued = await billing.owner<{ id: string }>(
      "select id from metering.invoices where tenant = ? and status = 'issued' order by period",
      [tenant],
    )
    const id = issued[which % Math.max(1, issued.length)]?.id
    return id === undefined ? null : { deps: billing.deps, tenant, id, by: 'test' }
  }

  async function act(tenant: string, one: Step, queue: ReturnType<typeof deductionQueue>): Promise<unknown> {
    const { deps, clock } = billing
    if ('use' in one) return use(tenant, MONTHS[one.use] as string, one.quantity)
    if ('issue' in one) return issue(tenant)
    if ('expire' in one) return expireCredits(deps)
    if ('deduct' in one) return queue(tenant, { id: uuidv7(), amount: formatDecimal(one.deduct) })
    if ('grant' in one) {
      const expires_at = one.days === null ? null : new Date(clock().getTime() + one.days * 86_400_000)
      const about = { tenant, source: 'manual' as const, reference: uuidv7(), kind: 'paid' as const, currency: 'USD' }
      const more = { starts_at: clock(), expires_at, applies_to: null, package: null, partner: null }
      const amount = formatDecimal(one.grant)
      return deps.allTenants.transaction((tx) =>
        grantCredit(tx, { ...about, ...more, amount, priority: one.priority }, clock()),
      )
    }
    const which = 'credit' in one ? one.credit : 'pay' in one ? one.pay : 'void' in one ? one.void : one.writeOff
    const of = await invoiceOf(tenant, which)
    if (!of) return
    const done =
      'credit' in one
        ? creditInvoice(of, { amount: one.amount }, 'part', null)
        : 'pay' in one
          ? recordPayment(of, { amount: one.amount, paidAt: clock(), reference: uuidv7() })
          : 'void' in one
            ? voidInvoice(of, 'wrong', one.rebill)
            : writeOff(of, 'gone')
    return done.catch((error: unknown) => {
      if (!(error instanceof AppError && REFUSED.includes(error.code))) throw error
    })
  }

  async function compare(tenant: string): Promise<void> {
    const [got] = await billing.owner<Record<string, string | number>>(
      `with c as (select * from metering.credits where tenant = ?),
         m as (select * from metering.credit_movements where tenant = ?),
         l as (select * from metering.ledger where tenant = ?),
         i as (select o.*, convert_from(i.body, 'UTF8')::jsonb as body,
                 o.total - o.amount_due as prepaid, o.amount_due - o.credited + o.returned - o.paid as open,
                 coalesce((select sum(l.amount) from l where l.invoice_id = i.id and l.account = 'tenant_receivable'), 0) as owed
               from metering.invoices i join metering.invoice_life o on o.tenant = i.tenant and o.invoice_id = i.id
               where i.tenant = ? and i.status = 'issued')
       select (select count(*)::int from c where remaining < 0 or on_account < 0 or used < 0) as below,
         (select count(*)::int from c where amount - remaining is distinct from
            coalesce((select sum(m.amount) from m where m.credit_id = c.id), 0)) as unmoved,
         (select coalesce(sum(remaining), 0) from c)
           + coalesce((select sum(amount) from l where account = 'prepaid_credits'), 0) as unbooked,
         (select count(*)::int from (select 1 from l group by posting_id having sum(amount) <> 0) u) as unbalanced,
         -- Written off, nothing is owed for it any more, whatever is paid after all.
         (select count(*)::int from i where owed is distinct from case when uncollectible_at is null then open else 0 end)
           as owed_otherwise,
         (select count(*)::int from i where voided_at is not null and (owed <> 0 or credited <> total or returned <> prepaid))
           as void_unsettled,
         (select count(*)::int from i where returned < 0 or returned > prepaid) as returned_too_much,
         (select count(*)::int from i where returned > 0 and open > 0) as returned_too_early,
         -- Money is owed to a tenant only after all that credits paid has come back.
         (select count(*)::int from i where open < 0 and returned <> prepaid and total > 0) as owed_too_early,
         (select count(*)::int from i where returned is distinct from
            -coalesce((select sum(m.amount) from m where m.kind = 'return' and m.invoice_id = i.invoice_id), 0)) as unreturned,
         (select count(*)::int from i, jsonb_array_elements(body -> 'credits') u where (u ->> 'amount')::numeric <
            -coalesce((select sum(m.amount) from m where m.kind = 'return' and m.invoice_id = i.invoice_id
                       and m.credit_id = (u ->> 'id')::uuid), 0)) as returned_elsewhere,
         coalesce((select sum(amount) from m where kind in ('deduction', 'invoice')), 0)
           - (select coalesce(sum(on_account), 0) from c) - coalesce((select sum(prepaid) from i), 0) as unbilled,
         -- Deductions that no invoice has counted yet are all there is beside invoices.
         coalesce((select sum(amount) from l where invoice_id is null and account = 'tenant_receivable'), 0)
           + (select coalesce(sum(on_account), 0) from c) as beside_invoices`,
      [tenant, tenant, tenant, tenant],
    )
    const off = Object.entries(got ?? {}).filter(([, value]) => Number(value) !== 0)
    expect(off, tenant).to.deep.equal([])
  }

  async function note(tenant: string): Promise<void> {
    const [n] = await billing.owner<typeof seen>(
      `select (select count(*)::int from metering.invoice_life where tenant = ? and returned > 0) as returned,
         (select count(*)::int from metering.invoice_life where tenant = ? and voided_at is not null and returned > 0) as voided,
         (select count(*)::int from metering.credits where tenant = ? and granted_until is not null) as extended`,
      [tenant, tenant, tenant],
    )
    for (const name of Object.keys(seen) as (keyof typeof seen)[]) seen[name] += n?.[name] ?? 0
  }

  it('each invoice owes what is due, less what was paid and credited; each credit has what was not taken', async () => {
    // Each inner list happens at once; then days pass.
    const round = fc.record({
      at_once: fc.array(step, { minLength: 1, maxLength: 5 }),
      days: fc.constantFrom(0, 3, 31),
    })
    const property = fc.asyncProperty(fc.array(round, { minLength: 3, maxLength: 9 }), async (rounds) => {
      billing.clock.set('2026-11-02T00:00:00Z')
      const tenant = await newTenant()
      const queue = deductionQueue(billing.deps)
      const prelude: Step[] = [{ use: 0, quantity: 9 }, { grant: 2n * SCALE, priority: 0, days: 20 }, { issue: true }]
      for (const one of prelude) await act(tenant, one, queue)
      for (const { at_once, days } of rounds) {
        await Promise.all(at_once.map((one) => act(tenant, one, queue)))
        await compare(tenant)
        billing.clock.advance(days * 86_400_000)
      }
      await issue(tenant)
      await compare(tenant)
      await note(tenant)
      expect([...billing.deps.failing]).to.deep.equal([])
    })
    await holds(property, 30)
    for (const [name, times] of Object.entries(seen)) expect(times, name).to.be.greaterThan(0)
  })
})
