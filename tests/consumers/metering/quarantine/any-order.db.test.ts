import { expect } from 'chai'
import fc from 'fast-check'
import { countReport } from '../../../../consumers/metering/count-report.ts'
import { decideQuarantine } from '../../../../consumers/metering/quarantine/decide-quarantine.ts'
import { admitVersion, quarantineVersion } from '../../../../consumers/metering/quarantine/quarantine-version.ts'
import { usageReported } from '../../../../schemas/events/usage.reported.ts'
import { holds } from '../../../support/property.ts'
import { type Billing, openBilling } from '../fixture.ts'

const VERSIONS = ['', '1.0.0', '1.1.0', '1.2.0', '2.0.0'] as const
const HOURS = 29 * 24
/** Between two steps; usage is in the hour of a step or beside it, where it matters most. */
const STEP_HOURS = 20
const INVOICING = ['2026-12-01T01:00:00Z', '2027-01-01T01:00:00Z', '2027-02-01T01:00:00Z']
const REVIEWER = { subject: 'reviewer', org: 'atom' }

type Used = { act: 'use'; version: string; hour: number; quantity: number }
type Step =
  | Used
  | { act: 'yank' | 'block'; version: string }
  | { act: 'reject' | 'publish' | 'issue' }
  | { act: 'release' | 'write_off'; which: number }
/** What the rules say, without a database: hours of November, `until` excluded. */
type Expected = { version: string; since: number; until: number; state: 'quarantined' | 'released' | 'written_off' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant('use' as const),
      version: fc.constantFrom(...VERSIONS),
      hour: fc.tuple(fc.nat(30), fc.nat(2)).map(([of, beside]) => of * STEP_HOURS + beside),
      quantity: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constantFrom('yank' as const, 'block' as const),
      version: fc.constantFrom('1.0.0', '1.1.0', '1.2.0'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constantFrom('reject' as const, 'publish' as const, 'issue' as const) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constantFrom('release' as const, 'write_off' as const),
      which: fc.integer({ min: 0, max: 5 }),
    }),
  },
)

describe('consumers/metering/quarantine: any order of usage, quarantines, decisions and invoices', () => {
  let billing: Billing
  let planId: string
  before(async () => {
    billing = await openBilling('2026-11-01T00:00:00Z')
    planId = await billing.sell('any-order', {
      name: 'falls',
      currency: 'USD',
      effective_from: '2026-01-01T00:00:00Z',
      charges: [
        {
          id: 'runs',
          model: 'volume',
          meter: 'runs',
          tiers: [
            { up_to: '15', unit_amount: '10' },
            { up_to: null, unit_amount: '5' },
          ],
        },
      ],
    })
  })
  after(() => billing.close())

  let runs = 0
  /** Plays the steps for a tenant and a package of their own; gives what was billed in the end, by the ledger. */
  async function played(steps: readonly Step[], last: 'release' | 'write_off') {
    const n = ++runs
    const [tenant, name] = [`t-${n}`, `p-${n}`]
    const { allTenants } = billing.deps
    billing.clock.set('2026-11-01T00:00:00Z')
    await billing.owner("insert into platform.orgs values (?, ?, 'member', now())", [tenant, tenant])
    await billing.owner(
      `insert into metering.subscriptions (tenant, id, partner, package, plan_id, currency, starts_at)
       values (?, gen_random_uuid(), 'demo', ?, ?, 'USD', '2026-11-01T00:00:00Z')`,
      [tenant, name, planId],
    )
    const expected: Expected[] = []
    const used: Used[] = []
    const life = new Map<string, string>()
    let issues = 0
    const timeOf = (hour: number) => new Date(Date.UTC(2026, 10, 1, hour, 20))
    const of = (version: string, hour: number) => ({ partner: 'demo', package: name, version, at: timeOf(hour) })
    const covers = ({ since, until }: Expected, hour: number) => hour >= since && hour < until
    const open = (version: string) =>
      expected.find((one) => one.version === version && one.state !== 'released' && one.until === HOURS)

    async function publish(version: string, hour: number) {
      life.set(version, 'published')
      for (const one of expected) if (one.version === '' && one.until === HOURS) one.until = hour
      await allTenants.transaction((tx) => admitVersion(tx, of(version, hour), billing.clock()))
    }
    async function withdraw(version: string, cause: 'rejected' | 'yanked' | 'blocked', hour: number) {
      life.set(version, cause)
      const since = cause === 'rejected' ? 0 : hour
      if (!open(version)) expected.push({ version, since, until: HOURS, state: 'quarantined' })
      const left = [...life.values()].includes('published')
      if (cause !== 'rejected' && !left && !open(''))
        expected.push({ version: '', since, until: HOURS, state: 'quarantined' })
      const bad = { ...of(version, hour), cause, reason: 'bad' }
      await allTenants.transaction((tx) => quarantineVersion(tx, bad, billing.clock()))
    }
    async function decide(decision: 'release' | 'write_off', which: number) {
      const found = await billing.owner<{ id: string; version: string; since: Date | null }>(
        `select id, version, since from metering.quarantines where package = ? and state = 'quarantined'
         order by version, noted_at`,
        [name],
      )
      const chosen = found[which % Math.max(1, found.length)]
      if (!chosen) return
      const one = expected.find(
        ({ version, since, state }) =>
          version === chosen.version && state === 'quarantined' && (!chosen.since || +timeOf(since) === +chosen.since),
      ) as Expected
      one.state = decision === 'release' ? 'released' : 'written_off'
      const said = { decision, justification: 'either way' }
      await allTenants.transaction((tx) => decideQuarantine(tx, chosen.id, said, REVIEWER, billing.clock()))
    }
    async function use(one: Used, index: number) {
      used.push(one)
      const record = {
        id: `u-${index}`,
        meter: 'runs',
        quantity: String(one.quantity),
        time: timeOf(one.hour).toISOString(),
        package: one.version === '' ? name : `${name}@${one.version}`,
      }
      const report = usageReported.create(
        {
          report_id: `0192f6a0-0000-7000-8000-${String(n * 1_000 + index).padStart(12, '0')}`,
          tenant,
          reporter: tenant,
          received_at: billing.clock().toISOString(),
          root: 'd'.repeat(64),
          records: [record],
        },
        { source: '//test', now: billing.clock() },
      )
      await allTenants.transaction((tx) => countReport(tx, report, billing.clock()))
    }
    async function issue() {
      billing.clock.set(INVOICING[issues] as string)
      issues += 1
      await billing.issueDue()
    }

    await publish('1.0.0', 0)
    await publish('1.1.0', 0)
    for (const [index, one] of steps.entries()) {
      // Events of one package come in order, so each is later than the one before.
      const hour = 1 + index * STEP_HOURS
      if (one.act === 'use') await use(one, index)
      else if (one.act === 'yank' && life.get(one.version) === 'published') await withdraw(one.version, 'yanked', hour)
      else if (one.act === 'block' && ['published', 'yanked'].includes(life.get(one.version) ?? ''))
        await withdraw(one.version, 'blocked', hour)
      else if (one.act === 'reject' && !life.has('2.0.0')) await withdraw('2.0.0', 'rejected', hour)
      else if (one.act === 'publish' && !life.has('1.2.0')) await publish('1.2.0', hour)
      else if (one.act === 'issue' && issues < 2) await issue()
      else if (one.act === 'release' || one.act === 'write_off') await decide(one.act, one.which)
    }
    while (expected.some(({ state }) => state === 'quarantined')) await decide(last, 0)
    while (issues < 3) await issue()

    const out = (at: Used) =>
      expected.some((one) => one.state === 'written_off' && one.version === at.version && covers(one, at.hour))
    const quantity = used.filter((one) => !out(one)).reduce((sum, one) => sum + one.quantity, 0)
    const [{ billed } = { billed: '' }] = await billing.owner<{ billed: string }>(
      "select coalesce(sum(amount), 0)::float8::text as billed from metering.ledger where tenant = ? and account = 'tenant_receivable'",
      [tenant],
    )
    return { billed, once: String(quantity <= 15 ? quantity * 10 : quantity * 5) }
  }

  for (const last of ['release', 'write_off'] as const)
    it(`bills what rating once bills of all that was not written off (the rest: ${last})`, () =>
      holds(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
          const { billed, once } = await played(steps, last)
          expect(billed).to.equal(once)
        }),
        60,
      )).timeout(120_000)

  it('bills everything when every quarantine is released', () =>
    holds(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (steps) => {
        const released = steps.map((one) => (one.act === 'write_off' ? { ...one, act: 'release' as const } : one))
        const all = steps.reduce((sum, one) => sum + (one.act === 'use' ? one.quantity : 0), 0)
        expect((await played(released, 'release')).billed).to.equal(String(all <= 15 ? all * 10 : all * 5))
      }),
      30,
    )).timeout(120_000)
})
