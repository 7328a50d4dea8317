import { accessSync, constants, existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { analyticsHandlers } from './consumers/analytics/index.ts'
import { openAnalyzer } from './consumers/governance/analyzer.ts'
import { onSubmitted } from './consumers/governance/on-submitted.ts'
import { governanceRoutes } from './consumers/governance/service.ts'
import type { MeteringDeps } from './consumers/metering/deps.ts'
import { meteringHandlers, meteringRoutes } from './consumers/metering/index.ts'
import { issueDue } from './consumers/metering/issue.ts'
import { refreshStale } from './consumers/metering/refresh.ts'
import { openDatabase } from './deploy/database.ts'
import { demoCredentials } from './deploy/demo/credentials.ts'
import { demoMode } from './deploy/demo/demo-mode.ts'
import { ensureDemoOrganisations } from './deploy/demo/organisations.ts'
import { seedDemo } from './deploy/demo/seed.ts'
import { readyScreen } from './deploy/screen.ts'
import { type AtomSettings, clientSettings, settingDefinitions } from './deploy/settings.ts'
import { createAuthenticate } from './platform/auth/authenticate.ts'
import { openTokenIssuer } from './platform/auth/tokens.ts'
import type { Consuming } from './platform/bus/bus.ts'
import { openEmbeddedBus } from './platform/bus/embedded.ts'
import { expireLog } from './platform/bus/retention.ts'
import { type Handler, runConsumer } from './platform/bus/runner.ts'
import { systemClock as now } from './platform/clock.ts'
import { type Db, openDb } from './platform/db.ts'
import { messageOf } from './platform/errors.ts'
import { createHealth, type HealthCheck } from './platform/http/health.ts'
import type { Route } from './platform/http/route.ts'
import { createService, listen, type RunningService } from './platform/http/service.ts'
import { createLifecycle, type Lifecycle } from './platform/lifecycle.ts'
import { type Log, openLog } from './platform/log.ts'
import { createMetrics } from './platform/metrics.ts'
import { type Periodic, runPeriodically } from './platform/periodic.ts'
import { createCompliance, readPolicies } from './platform/policies.ts'
import { probeDataClasses } from './platform/policy-probes/data-classes.ts'
import { probeLatency, probeObservability } from './platform/policy-probes/observability.ts'
import { probeRowSecurity } from './platform/policy-probes/row-security.ts'
import { readSettings, unknownSettings } from './platform/settings.ts'
import { analyticsRoutes } from './portal/analytics.ts'
import { ensurePortalBuilt } from './portal/build.ts'
import { portalPages } from './portal/pages.ts'
import { dataRoutes } from './producers/data/index.ts'
import { marketplaceHandlers, marketplaceRoutes } from './producers/marketplace/index.ts'
import { probeApprovals, probeSignatures } from './producers/marketplace/policy-probes.ts'
import { reportRoute } from './producers/usage/report.ts'
import { topicList, topics } from './schemas/topics.ts'

const SERVICES = ['marketplace', 'billing', 'governance', 'portal', 'data'] as const
type ServiceName = (typeof SERVICES)[number]
/** What one service adds to the shared parts: calls, health checks, and a page for the portal. */
type Part = { routes: Route[]; checks: HealthCheck[]; pages?: ReturnType<typeof portalPages> }

const SCHEMAS = ['platform', 'marketplace', 'governance', 'metering', 'read']
const REFRESH_MS = 500
const MINUTE_MS = 60_000
/** Ports are promised free within 3 s of a signal. */
const STOP_DEADLINE_MS = 2_800
const version = (createRequire(import.meta.url)('./package.json') as { version: string }).version

async function start(
  names: readonly ServiceName[],
  settings: AtomSettings,
  log: Log,
  lifecycle: Lifecycle,
): Promise<string> {
  const home = resolve(settings.home)
  const demo = demoMode(settings)
  const portalBuilt = names.includes('portal') ? ensurePortalBuilt({ log, dir: portalFolder(settings, home) }) : null
  const analyzerOpen = names.includes('governance') ? openAnalyzer() : null
  // Awaited later: a failure meanwhile must not end the process before it is reported.
  portalBuilt?.catch(() => {})
  analyzerOpen?.catch(() => {})

  say(`ATOM Cloud Marketplace ${version}\n`)
  const { server, description, applied } = await openDatabase({ url: settings.databaseUrl, home, log }, lifecycle)
  step('database', `${description}${applied > 0 ? `, ${applied} migrations applied` : ''}`)
  const pool = (role: string): Db => {
    const db = openDb(server, role)
    lifecycle.onClose(`pool of ${role}`, db.close)
    return db
  }
  const app = pool('atom_app')
  const metrics = createMetrics()
  const groups = {
    marketplace: pool('atom_marketplace'),
    governance: pool('atom_governance'),
    metering: pool('atom_metering'),
    analytics: pool('atom_analytics'),
  }
  const bus = openEmbeddedBus({ server, log, appender: app, dbFor: (group) => groups[group as keyof typeof groups] })
  lifecycle.onClose('bus', bus.close)
  const tokens = await openTokenIssuer({
    keyFile: join(home, 'dev', 'issuer.json'),
    issuer: settings.jwtIssuer,
    operatorOrg: settings.operatorOrg,
    now,
  })
  const authenticate = createAuthenticate({ db: app, tokens, visitor: demo.visitor })
  const credentials = demo.organisations ? await demoCredentials(home, tokens) : null
  if (credentials) await ensureDemoOrganisations(app, credentials, now)

  const running: RunningService[] = []
  const urlOf = (name: ServiceName) => {
    const port = running.find((service) => service.name === name)?.port
    return port === undefined ? '' : `http://${settings.bind}:${port}`
  }
  const compliance = createCompliance(
    await readPolicies(new URL('./docs/policies/POLICIES.md', import.meta.url)),
    {
      'P-1': probeDataClasses(groups.analytics, SCHEMAS, topicList),
      'P-2': probeSignatures(groups.marketplace),
      'P-3': probeApprovals(groups.marketplace),
      'P-4': probeObservability(groups.analytics, [topics.wpk, topics.usage], () =>
        running.map(({ name }) => urlOf(name as ServiceName)),
      ),
      'P-5': probeRowSecurity(app, SCHEMAS),
      'P-6': probeLatency(metrics, 'atom_http_seconds', 1),
    },
    now,
  )

  async function consume(group: keyof typeof groups, handlers: readonly Handler[]): Promise<Consuming> {
    const consuming = await runConsumer({ bus, db: groups[group], group, handlers, log, metrics, now })
    lifecycle.onClose(`consumer ${group}`, consuming.stop)
    return consuming
  }
  function periodically(name: string, everyMs: number, work: () => Promise<unknown>): Periodic {
    const periodic = runPeriodically(name, everyMs, work, log)
    lifecycle.onClose(name, periodic.stop)
    return periodic
  }

  const parts: Record<ServiceName, () => Promise<Part>> = {
    async marketplace() {
      const consuming = await consume('marketplace', marketplaceHandlers({ now }))
      const publicUrl = () => settings.publicUrl ?? urlOf('marketplace')
      const deps = { db: app, wake: bus.wake, now, publicUrl, reviewTargetHours: settings.reviewTargetHours }
      return { routes: marketplaceRoutes(deps, groups.marketplace), checks: [consumerCheck(consuming)] }
    },
    async billing() {
      const { partnerSharePercent, collectionHours } = settings
      const deps: MeteringDeps = {
        db: app,
        allTenants: groups.metering,
        wake: bus.wake,
        now,
        partnerSharePercent,
        collectionHours,
      }
      const consuming = await consume('metering', meteringHandlers(metrics, deps))
      periodically('rating of changed invoices', REFRESH_MS, () => refreshStale(deps))
      periodically('issuing of due invoices', MINUTE_MS, () => issueDue(deps))
      const payments = {
        name: 'payments',
        run: async () => ({
          status: 'ok' as const,
          detail: 'invoices are issued and posted; sending them for payment is not part of this version',
        }),
      }
      return {
        routes: [reportRoute({ db: app, bus, now }), ...meteringRoutes(deps)],
        checks: [consumerCheck(consuming), payments],
      }
    },
    async governance() {
      const analyzer = await (analyzerOpen as NonNullable<typeof analyzerOpen>)
      lifecycle.onClose('analyzer', analyzer.close)
      step(
        'analyzer',
        analyzer
          .models()
          .map((model) => `model ${model.version}`)
          .join(', ') || 'rules only',
      )
      const consuming = await consume('governance', [onSubmitted({ db: groups.governance, analyzer, now })])
      const model: HealthCheck = {
        name: 'model',
        run: async () =>
          analyzer.models().length > 0 ? { status: 'ok' } : { status: 'failed', detail: 'no usable model: rules only' },
      }
      return { routes: governanceRoutes(analyzer), checks: [consumerCheck(consuming), model] }
    },
    async portal() {
      const consuming = await consume('analytics', analyticsHandlers())
      const built = await (portalBuilt as NonNullable<typeof portalBuilt>)
      step('portal page', built.built ? `built in ${(built.ms / 1000).toFixed(1)} s` : 'built before')
      const origins = SERVICES.filter((name) => name !== 'portal').map(
        (name) => `http://${settings.bind}:${portOf(settings, name)}`,
      )
      const db = pool('atom_portal')
      return {
        routes: analyticsRoutes({ db, now, lag: consuming.lag }),
        checks: [consumerCheck(consuming)],
        pages: portalPages(built.dir, origins),
      }
    },
    async data() {
      const db = pool('atom_data')
      periodically('expiry of old events', 60 * MINUTE_MS, () => expireLog(db, topicList))
      return { routes: dataRoutes(db), checks: [] }
    },
  }

  let ready = false
  const database: HealthCheck = {
    name: 'database',
    run: async () => ({ status: (await app.query('select 1')).length === 1 ? 'ok' : 'failed' }),
  }
  const corsOrigins =
    settings.portalOrigins?.split(',') ??
    ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${settings.portPortal}`)
  for (const name of names) {
    const { routes, checks, pages } = await parts[name]()
    const health = createHealth({
      service: name,
      version,
      checks: [database, ...checks],
      policies: compliance,
      ready: () => ready,
      now,
    })
    const service = createService({
      name,
      routes,
      ...(pages ? { pages } : {}),
      authenticate,
      health,
      metrics,
      log,
      corsOrigins,
    })
    const listening = await listen(service, name, portOf(settings, name), settings.bind)
    lifecycle.onClose(`service ${name}`, listening.close)
    running.push(listening)
  }
  if (credentials && names.length === SERVICES.length)
    await seedDemo({
      home,
      credentials,
      urls: { marketplace: urlOf('marketplace'), billing: urlOf('billing') },
      now,
      progress: (text) => step('demo data', text),
    })
  const policies = await compliance()
  for (const { id, status, detail } of policies)
    log[status === 'violated' ? 'error' : 'info']('policy', { id, status, detail })
  ready = true
  log.info('ready', { services: names, version })
  return readyScreen({
    home,
    cwd: process.cwd(),
    bind: settings.bind,
    services: running,
    policies,
    seconds: (performance.now() / 1000).toFixed(1),
    demo: credentials !== null,
    visitor: demo.visitor !== null,
  })
}

const portOf = (settings: AtomSettings, name: ServiceName): number =>
  ({
    marketplace: settings.portMarketplace,
    billing: settings.portBilling,
    governance: settings.portGovernance,
    portal: settings.portPortal,
    data: settings.portData,
  })[name]

function consumerCheck(consuming: Consuming): HealthCheck {
  return {
    name: 'consumer',
    async run() {
      const lag = await consuming.lag()
      const seconds = Math.max(0, ...lag.filter(({ records }) => records > 0).map((one) => one.seconds))
      const records = lag.reduce((sum, one) => sum + one.records, 0)
      const detail = `${consuming.active() ? 'active' : 'standing by'}, ${records} events behind`
      return {
        status: seconds > 60 ? 'failed' : 'ok',
        detail: seconds > 60 ? `${detail} for ${Math.round(seconds)} s` : detail,
      }
    },
  }
}

/** Beside its sources, or in `home` where this user may not write there. */
function portalFolder({ portalDist }: AtomSettings, home: string): string {
  if (portalDist !== undefined) return resolve(portalDist)
  const beside = fileURLToPath(new URL('./portal', import.meta.url))
  try {
    accessSync(beside, constants.W_OK)
    return join(beside, 'dist')
  } catch {
    return existsSync(join(beside, 'dist', 'index.html')) ? join(beside, 'dist') : join(home, 'portal')
  }
}

function serviceNames(args: readonly string[]): ServiceName[] {
  const unknown = args.filter((name) => !(SERVICES as readonly string[]).includes(name))
  if (unknown.length > 0) throw new Error(`no service ${unknown.join(', ')}; there are ${SERVICES.join(', ')}`)
  return args.length === 0 ? [...SERVICES] : SERVICES.filter((name) => args.includes(name))
}

function say(text: string): void {
  process.stdout.write(text)
}
function step(what: string, detail: string): void {
  say(`  ${what.padEnd(12)} ${detail} (${(performance.now() / 1000).toFixed(1)} s)\n`)
}

async function main(): Promise<void> {
  // A reader that goes away (`npm start | head`) must not take the services with it.
  process.stdout.on('error', () => {})
  const settings = readSettings(settingDefinitions, process.env)
  for (const name of unknownSettings(settingDefinitions, process.env, clientSettings))
    process.stderr.write(`${name} is not a setting of this version and is ignored\n`)
  const names = serviceNames(process.argv.slice(2))
  const home = resolve(settings.home)
  await mkdir(home, { recursive: true, mode: 0o711 })
  const toFile = settings.logFile ?? (demoMode(settings).visitor ? join(home, 'atom.log') : undefined)
  const log = openLog({ level: settings.logLevel, ...(toFile === undefined || toFile === '-' ? {} : { file: toFile }) })
  const lifecycle = createLifecycle(log)

  let stopping = false
  async function stop(code: number): Promise<void> {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
    await lifecycle.close()
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (stopping && signal === 'SIGINT') process.exit(1)
      void stop(0)
    })
  try {
    say(await start(names, settings, log, lifecycle))
  } catch (error) {
    if (stopping) return
    log.error('start failed', { error: messageOf(error), stack: error instanceof Error ? error.stack : undefined })
    process.stderr.write(`\nCould not start: ${messageOf(error)}\n`)
    await stop(1)
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`Could not start: ${messageOf(error)}\n`)
  process.exit(1)
})
