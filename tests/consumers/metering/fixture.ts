import { expect } from 'chai'
import { meteringHandlers, meteringRoutes } from '../../../consumers/metering/index.ts'
import { issueDue, issuePeriod } from '../../../consumers/metering/issue.ts'
import type { Plan } from '../../../consumers/metering/rating/plan.ts'
import { refreshStale } from '../../../consumers/metering/refresh.ts'
import type { Bus, Consuming } from '../../../platform/bus/bus.ts'
import { openEmbeddedBus } from '../../../platform/bus/embedded.ts'
import { runConsumer } from '../../../platform/bus/runner.ts'
import { createMetrics } from '../../../platform/metrics.ts'
import { reportRoute } from '../../../producers/usage/report.ts'
import { testClock } from '../../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { openOrganisations } from '../../support/organisations.ts'
import { recordingLog } from '../../support/recording-log.ts'
import { type CallOptions, type Json, type Reply, startService } from '../../support/service.ts'

export type Record_ = {
  id: string
  meter: string
  quantity: string | number
  time: string
  package?: string
  dimensions?: object
  tenant?: string
}
export type Answer = {
  report_id: string
  accepted: number
  rejected: { index: number; id?: string; code: string; pointer: string }[]
  receipt: { root: string; count: number }
}
export type Receipt = {
  report_id: string
  reporter: string
  root: string
  count: number
  records: { tenant: string; index: number; status: string }[]
}
export type Line = {
  id: string
  kind: string
  meter?: string
  package?: string
  quantity?: string
  amount: string
  period: string
  description: string
  unit_price?: string
  dimensions?: Record<string, string>
  adjusts?: string
}
export type Invoice = {
  id: string
  number?: string
  status: string
  period: string
  currency: string
  lines: Line[]
  subtotal: string
  tax: string
  total: string
  amount_due: string
  credits_applied: string
  credits?: { id: string; amount: string }[]
  unpriced: object[]
}
export type Problem = { code: string; detail: string; errors: { pointer: string; code: string }[] }

/** Usage edge and metering on a database of their own; `demo` sells packages, `acme` and `globex` buy. */
export async function openBilling(start = '2026-11-10T10:00:00Z', otherBus?: () => Promise<Bus>) {
  const clock = testClock(start)
  const database: TestDatabase = await freshDatabase()
  const organisations = await openOrganisations(database, ['demo', 'acme', 'globex'], clock)
  const app = database.as('atom_app')
  const allTenants = database.as('atom_metering')
  const { log, lines } = recordingLog()
  const embedded = openEmbeddedBus({ server: database.server, log, appender: app, dbFor: () => allTenants })
  const bus = (await otherBus?.()) ?? embedded
  const rules = { now: clock, partnerSharePercent: '80', collectionHours: 1, paymentDays: 30 }
  const deps = { db: app, allTenants, wake: bus.wake, bus, log, failing: new Map<string, string>(), ...rules }
  const service = await startService(
    [reportRoute({ db: app, bus, now: clock }), ...meteringRoutes(deps)],
    organisations.authenticate,
  )
  const metrics = createMetrics()
  let consuming: Consuming | undefined
  const tokens = {
    demo: await organisations.token('demo', 'partner'),
    acme: await organisations.token('acme', 'tenant'),
    globex: await organisations.token('globex', 'tenant'),
    finance: await organisations.token('atom', 'finance'),
    admin: await organisations.token('atom', 'admin'),
  }
  const owner = <R>(sql: string, bindings: unknown[] = []) => database.as('postgres').query<R>(sql, bindings)
  const call = <B = Json>(method: string, path: string, options?: CallOptions): Promise<Reply<B>> =>
    service.call<B>(method, path, options)

  async function consume(): Promise<void> {
    consuming ??= await runConsumer({
      bus,
      db: allTenants,
      group: 'metering',
      handlers: meteringHandlers(metrics, { now: clock }),
      log,
      metrics,
      now: clock,
    })
  }
  /** Until every report so far is counted. */
  async function counted(): Promise<void> {
    if (!consuming) await consume()
    bus.wake()
    await eventually('every report is counted', async () =>
      (await (consuming as Consuming).lag()).every(({ records }) => records === 0),
    )
  }
  async function report(records: Record_[], as = tokens.acme): Promise<Answer> {
    const { status, body } = await call<Answer>('POST', '/usage/report', { as, json: { records } })
    expect(status, JSON.stringify(body)).to.equal(202)
    return body
  }
  /** A published package of demo with a plan, and a subscription of each tenant to it. */
  async function sell(
    name: string,
    plan: Plan,
    tenants: string[] = ['acme'],
    starts = '2026-01-01T00:00:00Z',
  ): Promise<string> {
    await owner(
      'insert into metering.packages (partner, package, published_at) values (?, ?, ?) on conflict do nothing',
      ['demo', name, clock()],
    )
    const made = await call<{ id: string }>('POST', '/billing/plans', { as: tokens.demo, json: plan })
    expect(made.status, JSON.stringify(made.body)).to.equal(201)
    for (const tenant of tenants) {
      const json = { package: name, plan_id: made.body.id, tenant, starts_at: starts }
      const subscribed = await call('POST', '/billing/subscriptions', { as: tokens.finance, json })
      expect(subscribed.status, JSON.stringify(subscribed.body)).to.equal(201)
    }
    return made.body.id
  }
  const invoice = async (tenant: string, period?: string, as = tokens.finance) =>
    (await call<Invoice>('GET', `/billing/invoice/${tenant}${period ? `?period=${period}` : ''}`, { as })).body

  return {
    bus,
    clock,
    database,
    organisations,
    service,
    tokens,
    deps,
    metrics,
    log: lines,
    owner,
    call,
    consume,
    counted,
    report,
    sell,
    invoice,
    issue: (period: string) => issuePeriod(deps, period),
    issueDue: () => issueDue(deps),
    refresh: () => refreshStale(deps),
    async close() {
      await consuming?.stop()
      await service.close()
      await bus.close()
      await organisations.close()
      await database.drop()
    },
  }
}
export type Billing = Awaited<ReturnType<typeof openBilling>>

export const perUnit = (unit_amount: string, more: Partial<Plan> = {}): Plan => ({
  name: 'per run',
  currency: 'USD',
  effective_from: '2026-01-01T00:00:00Z',
  charges: [{ id: 'runs', model: 'per_unit', meter: 'runs', unit_amount }],
  ...more,
})
