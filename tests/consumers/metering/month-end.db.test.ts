import { expect } from 'chai'
import { invoiceId, rateLive } from '../../../consumers/metering/invoice.ts'
import { loadTogether } from '../../../consumers/metering/load-together.ts'
import type { Plan } from '../../../consumers/metering/rating/plan.ts'
import { eventually } from '../../support/eventually.ts'
import { type Billing, openBilling, perUnit } from './fixture.ts'

const PERIOD = '2026-10'
const TENANTS = 210
const names = Array.from({ length: TENANTS }, (_, n) => `m-${String(n).padStart(3, '0')}`)
const number = (n: number) => `ATOM-${String(n).padStart(6, '0')}`

describe('consumers/metering: month end of many tenants', () => {
  let billing: Billing
  beforeEach(async () => {
    billing = await openBilling('2026-11-01T02:00:00Z')
    await billing.sell('runner', perUnit('0.50', { taxes: [{ name: 'VAT', percent: '20' }] }))
    await buyersOf('acme', names)
    await use(names, 'runs', ['2', '1'])
  })
  afterEach(() => billing.close())

  /** Tenants with the subscriptions that another has. */
  async function buyersOf(other: string, tenants: readonly string[]): Promise<void> {
    await billing.owner(
      "insert into platform.orgs (org, display_name, kind, created_at) select t, t, 'member', now() from unnest(?::text[]) t",
      [tenants],
    )
    await billing.owner(
      `insert into metering.subscriptions (tenant, id, partner, package, plan_id, currency, starts_at, ends_at)
       select t, gen_random_uuid(), partner, package, plan_id, currency, starts_at, ends_at
       from metering.subscriptions, unnest(?::text[]) t where tenant = ?`,
      [tenants, other],
    )
  }

  /** An hour each of usage in the month of tenants, with their open invoices. */
  async function use(tenants: readonly string[], meter: string, quantities: readonly string[], packageName = 'runner') {
    await billing.owner(
      `insert into metering.rollups (tenant, hour, meter, package, dimensions, dimensions_key, quantity, records,
         maximum, latest, latest_at, latest_key, change, change_ms)
       select t, ?::timestamptz + n * interval '1 day', ?, ?, '{}', '\\x00', q, 1, q, q,
         ?::timestamptz + n * interval '1 day', 'k' || n, q, q * 1000
       from unnest(?::numeric[]) with ordinality as u (q, n) cross join unnest(?::text[]) as t`,
      [`${PERIOD}-01T05:00:00Z`, meter, packageName, `${PERIOD}-01T05:10:00Z`, quantities, tenants],
    )
    await billing.owner(
      `insert into metering.invoices (tenant, id, period, status, currency)
       select t, i::uuid, ?, 'gathering', 'USD' from unnest(?::text[], ?::text[]) as n (t, i) on conflict do nothing`,
      [PERIOD, tenants, tenants.map((tenant) => invoiceId(tenant, PERIOD))],
    )
  }

  const issued = () =>
    billing.owner<{ tenant: string; number: string; total: string; postings: number; events: number }>(
      `select tenant, number, convert_from(body, 'UTF8')::json ->> 'total' as total,
         (select count(distinct posting_id)::int from metering.ledger l where l.invoice_id = i.id) as postings,
         (select count(*)::int from platform.event_log e
          where e.key = i.tenant and e.headers ->> 'ce_type' = 'invoice.issued') as events
       from metering.invoices i where status = 'issued' order by number`,
    )

  it('numbers them without a gap, each once, although three issue at the same time', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => billing.issue(PERIOD)))
    const numbers = names.map((_, n) => number(n + 1))
    expect(runs.flat().sort()).to.deep.equal(numbers)
    const found = await issued()
    expect(found.map((one) => one.number)).to.deep.equal(numbers)
    expect(found.map(({ tenant }) => tenant).sort()).to.deep.equal(names)
    for (const { tenant, total, postings, events } of found)
      expect({ total, postings, events }, tenant).to.deep.equal({ total: '1.80', postings: 1, events: 1 })
    expect(await billing.owner('select last_number::int from metering.invoice_sequence')).to.deep.equal([
      { last_number: TENANTS },
    ])
  })

  it('leaves behind the one that cannot be issued, and nobody beside it', async () => {
    await billing.owner("alter table metering.ledger add constraint closed check (tenant <> 'm-007')")
    expect((await billing.issue(PERIOD)).sort()).to.deep.equal(names.slice(1).map((_, n) => number(n + 1)))
    expect((await issued()).map(({ tenant }) => tenant)).to.not.include('m-007')
    expect([...billing.deps.failing.keys()]).to.deep.equal(['m-007'])
    await billing.owner('alter table metering.ledger drop constraint closed')
    expect(await billing.issue(PERIOD)).to.deep.equal([number(TENANTS)])
    expect(billing.deps.failing.size).to.equal(0)
  })

  it('opens what nobody used but everybody owes a fee for, and issues it', async () => {
    const fee: Plan = {
      name: 'fee',
      currency: 'EUR',
      effective_from: '2026-01-01T00:00:00Z',
      charges: [{ id: 'fee', model: 'flat', flat_amount: '9' }],
    }
    const buyers = names.map((name) => name.replace('m', 'f'))
    await billing.owner(
      "insert into platform.orgs (org, display_name, kind, created_at) values ('payer', 'payer', 'member', now())",
    )
    await billing.sell('fees', fee, ['payer'])
    await buyersOf('payer', buyers)
    await billing.issue(PERIOD)
    const found = (await issued()).filter(({ tenant }) => tenant.startsWith('f-'))
    expect(found.map(({ tenant }) => tenant).sort()).to.deep.equal(buyers)
    expect(new Set(found.map(({ total }) => total))).to.deep.equal(new Set(['9.00']))
    const currencies = await billing.owner("select distinct currency from metering.invoices where tenant like 'f-%'")
    expect(currencies).to.deep.equal([{ currency: 'EUR' }])
  })

  it('waits for usage that is being counted with only that tenant, holding nobody else', async () => {
    let go = () => {}
    const mayGoOn = new Promise<void>((resolve) => {
      go = resolve
    })
    const touch = (tenant: string) => `update metering.invoices set stale = true
      where tenant = '${tenant}' and period = '${PERIOD}' and status = 'gathering'`
    let held = false
    const counts = billing.deps.allTenants.transaction(async (tx) => {
      await tx.raw(touch('m-003'))
      held = true
      await mayGoOn
      // The other order than that of issuing: had issuing waited with its rows held, both would wait for ever.
      await tx.raw(touch('m-001'))
    })
    await eventually('the counting has its row', async () => held)
    const issuing = billing.issue(PERIOD)
    await eventually('everybody else is issued', async () => (await issued()).length === TENANTS - 1)
    go()
    await counts
    expect(await issuing).to.have.length(TENANTS)
    expect((await issued()).at(-1)).to.deep.include({ tenant: 'm-003', number: number(TENANTS) })
  })

  it('rates together as alone, and leaves to be rated alone what needs more than sums', async () => {
    const charge = (more: object): Plan =>
      ({
        ...perUnit('0.50'),
        charges: [{ id: 'runs', model: 'per_unit', meter: 'runs', unit_amount: '0.50', ...more }],
      }) as Plan
    const kinds: Record<string, Plan> = {
      count: charge({ aggregation: 'count' }),
      average: charge({ aggregation: 'average' }),
      max: charge({ aggregation: 'max' }),
      latest: charge({ aggregation: 'latest' }),
      weighted: charge({ aggregation: 'weighted_sum' }),
      unique: charge({ aggregation: 'unique' }),
      single: {
        ...perUnit('1'),
        charges: [
          { id: 'runs', model: 'percentage', meter: 'runs', rate_percent: '1', fixed_amount: '0.1', free_events: 1 },
        ],
      },
      changed: charge({}),
      late: charge({}),
      quarantined: charge({}),
      released: charge({}),
      credited: charge({}),
      spent: charge({}),
    }
    for (const [kind, plan] of Object.entries(kinds)) {
      await billing.owner(
        "insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, 'member', now())",
        [kind, kind],
      )
      await billing.sell(`p-${kind}`, plan, [kind])
      await use([kind], 'runs', ['2', '7', '5'], `p-${kind}`)
    }
    // A price that changes within the month, and an issued month with later usage.
    await billing.owner(
      `insert into metering.plans (partner, id, name, currency, effective_from, body, created_at, first_version)
       select p.partner, gen_random_uuid(), p.name, p.currency, '2026-10-03', p.body, now(), p.id
       from metering.plans p join metering.subscriptions s on s.plan_id = p.id where s.tenant = 'changed'`,
    )
    await billing.owner("insert into metering.late_periods values ('late', '2026-09')")
    // Usage of a version of which some is not billed, and of one that was released; credits, and some that are used up.
    for (const [kind, state] of Object.entries({ quarantined: 'quarantined', released: 'released' })) {
      await billing.owner("insert into metering.used_versions values (?, ?, '', ?)", [kind, `p-${kind}`, PERIOD])
      await billing.owner(
        `insert into metering.quarantines (partner, id, package, version, cause, reason, since, state, noted_at,
           decided_by, justification, decided_at)
         select 'demo', gen_random_uuid(), ?, '', 'blocked', 'bad', '2026-10-03', s, now(), d, d, case when d is not null
           then now() end from (values (?, case when ? = 'released' then 'reviewer' end)) as v (s, d)`,
        [`p-${kind}`, state, state],
      )
    }
    for (const [kind, used] of Object.entries({ credited: 0, spent: 3 }))
      await billing.owner(
        `insert into metering.credits (tenant, id, source, reference, kind, currency, amount, used, starts_at, created_at)
         values (?, gen_random_uuid(), 'manual', 'order', 'paid', 'USD', 3, ?, '2026-01-01', now())`,
        [kind, used],
      )
    // A contract of its own for the partner, from the month on.
    await billing.owner("insert into metering.share_contracts values ('demo', '2026-10-01', 70, 'finance', now())")
    const all = [...Object.keys(kinds), ...names.slice(0, 3)]
    await billing.deps.allTenants.transaction(async (tx) => {
      const together = await loadTogether(tx, all, PERIOD, '80')
      expect([...together.keys()].sort()).to.deep.equal([
        'average',
        'count',
        'latest',
        'm-000',
        'm-001',
        'm-002',
        'max',
        'released',
        'spent',
      ])
      for (const [tenant, loaded] of together) {
        const alone = await rateLive(tx, tenant, PERIOD, '80', billing.clock())
        expect(await rateLive(tx, tenant, PERIOD, '80', billing.clock(), loaded), tenant).to.deep.equal(alone)
      }
    })
    await billing.issue(PERIOD)
    const totals = new Map((await issued()).map(({ tenant, total }) => [tenant, total]))
    const sums = { count: '1.50', average: '2.33', max: '3.50', latest: '2.50', changed: '7.00', late: '7.00' }
    // Of the days of the quarantined one only the first is billed.
    const expected = { ...sums, quarantined: '1.00', released: '7.00', credited: '7.00', spent: '7.00' }
    for (const [kind, total] of Object.entries(expected)) expect(totals.get(kind), kind).to.equal(total)
    const due = await billing.owner(
      `select tenant, amount_due::text, (select -sum(amount) = l.total * 0.7 from metering.ledger e
         where e.invoice_id = l.invoice_id and account = 'partner_payable') as shared
       from metering.invoice_life l where tenant in ('credited', 'spent') order by tenant`,
    )
    expect(due).to.deep.equal([
      { tenant: 'credited', amount_due: '4.00', shared: true },
      { tenant: 'spent', amount_due: '7.00', shared: true },
    ])
  })
})
