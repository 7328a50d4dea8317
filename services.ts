import { setTimeout } from 'node:timers/promises'
import { analyticsHandlers, projections } from './consumers/analytics/index.ts'
import { feedHandlers, openFeeds } from './consumers/feeds/index.ts'
import type { Analyzer } from './consumers/governance/analyzer.ts'
import { governanceHandlers } from './consumers/governance/index.ts'
import { modelCheck } from './consumers/governance/model-check.ts'
import { announceAnalyzer } from './consumers/governance/rescans/announce-analyzer.ts'
import { governanceRoutes } from './consumers/governance/service.ts'
import { expireCredits } from './consumers/metering/credits/end-credit.ts'
import { measureCredits } from './consumers/metering/credits/measure-credits.ts'
import type { MeteringDeps } from './consumers/metering/deps.ts'
import { expireUsage } from './consumers/metering/expire-usage.ts'
import { meteringHandlers, meteringRoutes } from './consumers/metering/index.ts'
import { issueDue } from './consumers/metering/issue.ts'
import { measureLife } from './consumers/metering/life/measure-life.ts'
import { awsCheck, measureAws } from './consumers/metering/payments/aws-check.ts'
import { openAwsMetering } from './consumers/metering/payments/aws-marketplace-client.ts'
import { awsRoutes } from './consumers/metering/payments/aws-routes.ts'
import type { PaymentDeps } from './consumers/metering/payments/deps.ts'
import { measureMeters } from './consumers/metering/payments/meter-check.ts'
import { expireFacts } from './consumers/metering/payments/payment-facts.ts'
import { paymentRoutes } from './consumers/metering/payments/payment-routes.ts'
import { measurePayments, paymentsCheck } from './consumers/metering/payments/payments-check.ts'
import { type AwsDeps, sendAwsUsage } from './consumers/metering/payments/send-aws-usage.ts'
import { sendInvoices } from './consumers/metering/payments/send-invoices.ts'
import { sendMeterEvents } from './consumers/metering/payments/send-meter-events.ts'
import { sendChanges } from './consumers/metering/payments/send-paid.ts'
import { openStripe } from './consumers/metering/payments/stripe.ts'
import { stripeMeterRoutes } from './consumers/metering/payments/stripe-meter-routes.ts'
import { measureQuarantines } from './consumers/metering/quarantine/measure-quarantines.ts'
import { ratingCheck } from './consumers/metering/rating-check.ts'
import { usageRecount } from './consumers/metering/recount.ts'
import { refreshStale } from './consumers/metering/refresh.ts'
import { expireReratings, measureDrift, replayNightly } from './consumers/metering/rerating/nightly.ts'
import { runReratings } from './consumers/metering/rerating/rerating-worker.ts'
import { tellUntoldPlans } from './consumers/metering/tell-plans.ts'
import { portOf, SERVICES, type ServiceName } from './deploy/service-ports.ts'
import type { AtomSettings } from './deploy/settings.ts'
import type { Activity } from './platform/activity.ts'
import type { Bus } from './platform/bus/bus.ts'
import { lagCheck } from './platform/bus/lag-check.ts'
import { openWriterCheck } from './platform/bus/open-writer.ts'
import { expireInbox, expireLog } from './platform/bus/retention.ts'
import { type Handler, type RunningConsumer, runConsumer } from './platform/bus/runner.ts'
import { systemClock as now } from './platform/clock.ts'
import type { Db, Server } from './platform/db.ts'
import type { HealthCheck } from './platform/http/health.ts'
import type { Route } from './platform/http/route.ts'
import { localUrl } from './platform/http/service.ts'
import type { Lifecycle } from './platform/lifecycle.ts'
import type { Log } from './platform/log.ts'
import { createMetrics, type Metrics } from './platform/metrics.ts'
import { runPeriodically } from './platform/periodic.ts'
import type { ReplayGroup } from './platform/replay/replay.ts'
import { runReplays } from './platform/replay/replay-worker.ts'
import { holdSessionLock } from './platform/session-lock.ts'
import { analyticsRoutes } from './portal/analytics.ts'
import { portalPages } from './portal/pages.ts'
import { dataRoutes } from './producers/data/index.ts'
import { measureData } from './producers/data/watch.ts'
import { openDownloads } from './producers/marketplace/catalog/downloads.ts'
import { marketplaceHandlers, marketplaceRoutes } from './producers/marketplace/index.ts'
import { openTrust } from './producers/marketplace/open-trust.ts'
import { startUpkeep } from './producers/marketplace/start-upkeep.ts'
import { reportRoute } from './producers/usage/report.ts'
import { topicList } from './schemas/topics.ts'

/** What the services of a process share. `pool` opens the pool of a database role once. */
export type Shared = {
  settings: AtomSettings
  log: Log
  metrics: Metrics
  lifecycle: Lifecycle
  bus: Bus
  activity: Activity
  server: Server
  pool: (role: string) => Db
  urlOf: (name: ServiceName) => string
  analyzer: () => Promise<Analyzer>
  portalBuilt: () => Promise<{ dir: string }>
  /** The thread that reads documents of partners. */
  readingStarted: () => Promise<void>
}
/** What one service adds: calls, health checks, and a page for the portal. */
export type Part = { routes: Route[]; checks: HealthCheck[]; pages?: ReturnType<typeof portalPages> }

const REFRESH_MS = 500
/** How often is looked for work in a process where nothing happens: other processes, and times that come. */
const IDLE_MS = 5_000
const MINUTE_MS = 60_000
const MEASURE_MS = 15_000
const SEND_MS = 5_000
const STOP_GRACE_MS = 500

/** What handlers are made from. `db` and `analyzer` are governance's. */
export type HandlerDeps = { metrics: Metrics; db: Db; analyzer: Analyzer }
/** Every consumer group with its handlers: what runs, and what the reference pages say of who reads what. */
export const consumerGroups = {
  marketplace: () => marketplaceHandlers({ now }),
  governance: ({ db, analyzer }: Pick<HandlerDeps, 'db' | 'analyzer'>) => governanceHandlers({ db, analyzer, now }),
  metering: ({ metrics }: Pick<HandlerDeps, 'metrics'>) => meteringHandlers(metrics, { now }),
  analytics: () => analyticsHandlers(),
  feeds: () => feedHandlers({ now }),
} as const satisfies Record<string, (deps: HandlerDeps) => readonly Handler[]>

type GroupName = keyof typeof consumerGroups
/** What can be built again of a group's tables, and what of them is only compared. */
const rebuilt: Partial<Record<GroupName, Pick<ReplayGroup, 'projections' | 'recount'>>> = {
  analytics: { projections },
  metering: { recount: usageRecount },
}

/** Every group for those who plan a replay of it. Handlers are looked at, not run: what only they touch is not there. */
export function replayGroups(): ReplayGroup[] {
  const deps = { metrics: createMetrics() } as HandlerDeps
  return (Object.keys(consumerGroups) as GroupName[]).map((group) => ({
    group,
    handlers: consumerGroups[group](deps),
    ...rebuilt[group],
  }))
}

/** Starts the consumers and timers of a service and returns what it answers with. */
export const startPart: Record<ServiceName, (shared: Shared) => Promise<Part>> = {
  async marketplace(shared) {
    const { settings, pool, bus, urlOf } = shared
    const consuming = await consume(shared, 'marketplace', consumerGroups.marketplace())
    const publicUrl = () => settings.publicUrl ?? urlOf('marketplace')
    const { reviewTargetHours } = settings
    const allTenants = pool('atom_marketplace')
    const trust = await openTrust(settings, { ...shared, db: allTenants, now, wake: bus.wake })
    startUpkeep({ ...shared, ...trust.deps, db: allTenants, now })
    await shared.readingStarted()
    const deps = { db: pool('atom_app'), wake: bus.wake, now, publicUrl, reviewTargetHours, ...trust.deps }
    const feeds = await startFeeds(shared)
    const downloads = openDownloads({ ...shared, db: allTenants, now })
    const routes = [...marketplaceRoutes(deps, allTenants, downloads), ...feeds.routes]
    return { routes, checks: [lagCheck('consumer', consuming), ...trust.checks, ...feeds.checks] }
  },

  async billing(shared) {
    const { settings, pool, bus } = shared
    const { partnerSharePercent, collectionHours, paymentDays } = settings
    const db = pool('atom_app')
    const allTenants = pool('atom_metering')
    const { log } = shared
    const failing = new Map<string, string>()
    const deps: MeteringDeps = {
      db,
      allTenants,
      wake: bus.wake,
      bus,
      log,
      failing,
      now,
      partnerSharePercent,
      collectionHours,
      paymentDays,
    }
    const consuming = await consume(shared, 'metering', consumerGroups.metering(shared))
    periodically(shared, 'telling of plans', MINUTE_MS, () => tellUntoldPlans(deps))
    periodically(shared, 'rating of changed invoices', REFRESH_MS, () => refreshStale(deps), IDLE_MS)
    periodically(shared, 'issuing of due invoices', MINUTE_MS, () => issueDue(deps))
    periodically(shared, 'measuring of invoices', MINUTE_MS, measureLife(allTenants, shared.metrics))
    periodically(shared, 'expiry of usage hashes and single events', 60 * MINUTE_MS, () =>
      expireUsage(allTenants, now()),
    )
    periodically(shared, 'measuring of quarantines', 5 * MINUTE_MS, measureQuarantines(allTenants, shared.metrics))
    periodically(shared, 'expiry of prepaid credits', MINUTE_MS, () => expireCredits(deps))
    periodically(shared, 'measuring of prepaid credits', MINUTE_MS, measureCredits(deps, shared.metrics))
    replayInvoices(shared, deps)
    const payments = startPayments(shared)
    const routes = [reportRoute({ db, bus, now }), ...meteringRoutes(deps), ...payments.routes]
    return { routes, checks: [lagCheck('consumer', consuming), ratingCheck(failing), ...payments.checks] }
  },

  async governance(shared) {
    const analyzer = await shared.analyzer()
    shared.lifecycle.onClose('analyzer', analyzer.close)
    const db = shared.pool('atom_governance')
    const consuming = await consume(shared, 'governance', consumerGroups.governance({ db, analyzer }))
    await announceAnalyzer({ db, analyzer, now, wake: shared.bus.wake })
    return { routes: governanceRoutes(analyzer), checks: [lagCheck('consumer', consuming), modelCheck(analyzer)] }
  },

  async portal(shared) {
    const { settings, pool } = shared
    const consuming = await consume(shared, 'analytics', consumerGroups.analytics())
    const { dir } = await shared.portalBuilt()
    const others = SERVICES.filter((name) => name !== 'portal')
    const origins = others.map((name) => localUrl(settings.bind, portOf(settings, name)))
    return {
      routes: analyticsRoutes({ db: pool('atom_portal'), now, lag: consuming.lag }),
      checks: [lagCheck('consumer', consuming)],
      pages: portalPages(dir, origins),
    }
  },

  async data(shared) {
    const db = shared.pool('atom_data')
    periodically(shared, 'expiry of old events', 60 * MINUTE_MS, () => expireLog(db, topicList))
    periodically(shared, 'measuring of dead letters', MEASURE_MS, measureData(db, shared.metrics, shared.log))
    return {
      routes: dataRoutes({ bus: shared.bus, db, now, groups: replayGroups() }),
      checks: [openWriterCheck(db)],
    }
  },
}

async function consume(shared: Shared, group: GroupName, handlers: readonly Handler[]): Promise<RunningConsumer> {
  const { bus, log, pool, lifecycle } = shared
  const consuming = await runConsumer({ ...shared, db: pool(`atom_${group}`), group, handlers, now })
  lifecycle.onClose(`consumer ${group}`, consuming.stop)
  const replays = runReplays({
    bus,
    db: pool(`atom_${group}`),
    group: { group, handlers, ...rebuilt[group] },
    log,
    now,
  })
  lifecycle.onClose(`replays of ${group}`, replays.stop)
  periodically(shared, `expiry of the inbox of ${group}`, 60 * MINUTE_MS, () =>
    expireInbox(pool(`atom_${group}`), group, now()),
  )
  return consuming
}

type Work = () => Promise<unknown>
function periodically(shared: Shared, name: string, everyMs: number, work: Work, idleMs?: number): void {
  const quiet = idleMs === undefined ? undefined : { idleMs, activity: shared.activity }
  shared.lifecycle.onClose(name, runPeriodically(name, everyMs, work, shared.log, quiet).stop)
}

/** Tells organisations what happened: the feed, and calls of their webhooks. */
async function startFeeds(shared: Shared): Promise<Part> {
  const consuming = await consume(shared, 'feeds', consumerGroups.feeds())
  const { settings, pool, log, metrics } = shared
  const dbs = { db: pool('atom_app'), allOrgs: pool('atom_feeds') }
  const feeds = await openFeeds({ ...settings, ...dbs, log, metrics, now, random: Math.random })
  for (const { name, everyMs, work, idleMs } of feeds.timers) periodically(shared, name, everyMs, work, idleMs)
  shared.lifecycle.onClose('calling of webhooks', feeds.stop)
  return { routes: feeds.routes, checks: [lagCheck('feed', consuming)] }
}

/** Counts months again from the log for finance, and unless that is off of one tenant a day. */
function replayInvoices(shared: Shared, deps: MeteringDeps): void {
  const { bus, lifecycle, metrics, settings } = shared
  const { allTenants, log } = deps
  lifecycle.onClose('replays of invoices', runReratings({ bus, allTenants, log, now }).stop)
  if (settings.billingDrift === 'on')
    periodically(shared, 'daily replay of an invoice', 10 * MINUTE_MS, () => replayNightly(deps))
  periodically(shared, 'measuring of drift', MINUTE_MS, measureDrift(deps, metrics))
  periodically(shared, 'expiry of replays', 60 * MINUTE_MS, () => expireReratings(allTenants, now()))
}

/** Sends issued invoices for payment, in one process at a time, and answers with what became of them. */
function startPayments(shared: Shared): Part {
  const { settings, pool, bus, log, metrics, lifecycle, server } = shared
  const lock = holdSessionLock({ server, role: 'atom_metering', name: 'payments', everyMs: SEND_MS, log })
  lifecycle.onClose('lock of payments', lock.release)
  let stopping = false
  const common = {
    db: pool('atom_app'),
    allTenants: pool('atom_metering'),
    log,
    now,
    random: Math.random,
    leads: () => lock.held() && !stopping,
  }
  const deps: PaymentDeps = {
    ...common,
    wake: bus.wake,
    gateway: settings.stripeKey === undefined ? null : openStripe(settings.stripeKey, settings.stripeApiBase),
    webhookSecrets: settings.stripeWebhookSecrets?.split(',').map((secret) => secret.trim()) ?? [],
    daysUntilDue: settings.stripeDaysUntilDue,
  }
  const { awsMetering, awsRegion: region, awsEndpoint: endpoint } = settings
  const aws: AwsDeps = { ...common, meterUsage: awsMetering === 'on' ? openAwsMetering({ region, endpoint }) : null }
  const sendingTo = (name: string, send: () => Promise<unknown>) => {
    const sending = runPeriodically(name, SEND_MS, send, log)
    lifecycle.onClose(name, async () => {
      stopping = true
      // Who collects may take longer to answer than a stop may: the next process finds out what was done.
      await Promise.race([sending.stop(), setTimeout(STOP_GRACE_MS, undefined, { ref: false })])
    })
  }
  sendingTo('sending of invoices for payment', () => sendInvoices(deps))
  sendingTo('telling of credit notes and payments', () => sendChanges(deps))
  sendingTo('telling of usage to Stripe', () => sendMeterEvents(deps))
  sendingTo('sending of usage to AWS', () => sendAwsUsage(aws))
  periodically(shared, 'measuring of payments', MEASURE_MS, measurePayments(deps, metrics))
  periodically(shared, 'measuring of usage for Stripe', MEASURE_MS, measureMeters(deps, metrics))
  periodically(shared, 'measuring of usage for AWS', MEASURE_MS, measureAws(aws, metrics))
  periodically(shared, 'expiry of payment events', 60 * MINUTE_MS, () => expireFacts(deps))
  const routes = [...paymentRoutes(deps), ...stripeMeterRoutes(deps), ...awsRoutes(aws)]
  return { routes, checks: [paymentsCheck(deps), awsCheck(aws)] }
}
