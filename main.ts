import { mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { openAnalyzer } from './consumers/governance/analyzer.ts'
import { openBus } from './deploy/bus.ts'
import { openDatabase } from './deploy/database.ts'
import { demoCredentials } from './deploy/demo/credentials.ts'
import { demoMode } from './deploy/demo/demo-mode.ts'
import { ensureDemoOrganisations } from './deploy/demo/organisations.ts'
import { seedDemo } from './deploy/demo/seed.ts'
import { openIssuers } from './deploy/issuers.ts'
import { ensureOperator } from './deploy/operator.ts'
import { readyScreen } from './deploy/screen.ts'
import { portOf, SERVICES, type ServiceName } from './deploy/service-ports.ts'
import { type AtomSettings, clientSettings, settingDefinitions } from './deploy/settings.ts'
import { openActivity } from './platform/activity.ts'
import { createAuthenticate } from './platform/auth/authenticate.ts'
import { systemClock as now } from './platform/clock.ts'
import { type Db, openDb, type Server } from './platform/db.ts'
import { messageOf } from './platform/errors.ts'
import { armFault } from './platform/fault.ts'
import { lockFile } from './platform/file-lock.ts'
import { createHealth, type HealthCheck } from './platform/http/health.ts'
import { createService, listen, localUrl, type RunningService } from './platform/http/service.ts'
import { createLifecycle, type Lifecycle } from './platform/lifecycle.ts'
import { type Log, openLog } from './platform/log.ts'
import { createMetrics } from './platform/metrics.ts'
import { createCompliance, type PolicyStatus, readPolicies } from './platform/policies.ts'
import { probeDataClasses } from './platform/policy-probes/data-classes.ts'
import { probeLatency, probeObservability } from './platform/policy-probes/observability.ts'
import { probeRowSecurity } from './platform/policy-probes/row-security.ts'
import { readSettings, unknownSettings } from './platform/settings.ts'
import { ensurePortalBuilt } from './portal/build.ts'
import { portalFolder } from './portal/folder.ts'
import { probeApprovals, probeSignatures } from './producers/marketplace/policy-probes.ts'
import { reading } from './producers/marketplace/reading/reading.ts'
import { openTrustRoot } from './producers/marketplace/trust-root-file.ts'
import { topicList, topics } from './schemas/topics.ts'
import { type Shared, startPart } from './services.ts'

type Options = { names: readonly ServiceName[]; settings: AtomSettings; log: Log; lifecycle: Lifecycle }

const ROOMS = ['platform', 'marketplace', 'governance', 'metering', 'read', 'feeds']
// Copies of tables, while a projection is built again and after.
const SCHEMAS = [...ROOMS, 'read_shadow', 'read_former', 'metering_shadow', 'metering_rerating']
/** Ports are promised free within 3 s of a signal. */
const STOP_DEADLINE_MS = 2_800
/** Longer than the slowest first start. */
const START_LOCK_MS = 60_000
const version = (createRequire(import.meta.url)('./package.json') as { version: string }).version

/** Opens everything in order, each part pushing its closer, and returns what to show once all of it answers. */
async function start({ names, settings, log, lifecycle }: Options): Promise<string> {
  const home = resolve(settings.home)
  const demo = demoMode(settings)
  say(`ATOM Cloud Marketplace ${version}\n`)
  // They take a while and need no database, so they begin now; a failure is reported where it is awaited.
  const portalBuilt = early(names.includes('portal'), () => buildPortal(settings, home, log))
  const analyzer = early(names.includes('governance'), openAnalyzer)
  const readingStarted = early(names.includes('marketplace'), reading.ready)
  const { server, description, applied } = await openDatabase({ url: settings.databaseUrl, home, log }, lifecycle)
  step('database', `${description}${applied > 0 ? `, ${applied} migrations applied` : ''}`)

  const pool = createPools(server, lifecycle)
  const app = pool('atom_app')
  const metrics = createMetrics()
  const opened = await openBus({ brokers: settings.kafkaBrokers, server, pool, log, metrics, now }, lifecycle)
  const activity = openActivity()
  const wake = () => {
    opened.bus.wake()
    activity.happened()
  }
  const bus = { ...opened.bus, wake }
  if (settings.kafkaBrokers) step('bus', opened.description)
  // Keys, credentials and demo data are made once: a second first start in the same home waits for this one.
  const release = await lockFile(join(home, 'start.lock'), START_LOCK_MS, `starting in ${home}`)
  lifecycle.onClose('start lock', release)
  const { operatorOrg } = settings
  const issuers = await openIssuers(settings, { home, db: app, now, log })
  await ensureOperator(app, settings, now)
  const { development } = issuers
  const credentials = demo.organisations && development ? await demoCredentials(home, development, operatorOrg) : null
  if (credentials) await ensureDemoOrganisations(app, credentials, operatorOrg, now)

  const running: RunningService[] = []
  const urlOf = (name: string) => {
    const port = running.find((service) => service.name === name)?.port
    return port === undefined ? '' : localUrl(settings.bind, port)
  }
  let isReady = false
  const ready = () => isReady
  const compliance = await openCompliance({
    pool,
    bus,
    metrics,
    log,
    settings,
    baseUrls: () => running.map(({ name }) => urlOf(name)),
    ready,
  })
  const shared: Shared = {
    settings,
    log,
    metrics,
    lifecycle,
    bus,
    activity,
    server,
    pool,
    urlOf,
    analyzer,
    portalBuilt,
    readingStarted,
  }
  const authenticate = createAuthenticate({ db: app, tokens: issuers, visitor: demo.visitor, now })
  const changed = activity.happened
  for (const name of names) {
    const { checks, ...part } = await startPart[name](shared)
    const all = [databaseCheck(app), ...opened.checks, ...issuers.checks, ...checks]
    const health = createHealth({ service: name, version, checks: all, policies: compliance, ready, log, now })
    const corsOrigins = portalOrigins(settings)
    const service = createService({ name, ...part, authenticate, health, metrics, log, corsOrigins, changed })
    const listening = await listen(service, name, portOf(settings, name), settings.bind)
    lifecycle.onClose(`service ${name}`, listening.close)
    running.push(listening)
  }
  if (credentials && names.length === SERVICES.length) {
    const urls = { marketplace: urlOf('marketplace'), billing: urlOf('billing') }
    await seedDemo({ home, credentials, urls, now, progress: (text) => step('demo data', text) })
  }
  await release()
  const policies = await compliance({ fresh: true })
  logCompliance(log, names, policies)
  isReady = true
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

function early<T>(wanted: boolean, begin: () => Promise<T>): () => Promise<T> {
  const begun = wanted ? begin() : Promise.reject(new Error('not part of this process'))
  begun.catch(() => {})
  return () => begun
}

async function buildPortal(settings: AtomSettings, home: string, log: Log) {
  const built = await ensurePortalBuilt({ log, dir: portalFolder(settings.portalDist, home) })
  if (built.built) step('portal page', `built in ${(built.ms / 1000).toFixed(1)} s`)
  return built
}

function createPools(server: Server, lifecycle: Lifecycle): (role: string) => Db {
  const pools = new Map<string, Db>()
  return (role) => {
    const known = pools.get(role)
    if (known) return known
    const opened = openDb(server, role)
    lifecycle.onClose(`pool of ${role}`, opened.close)
    pools.set(role, opened)
    return opened
  }
}

type Observed = Pick<Shared, 'pool' | 'bus' | 'metrics' | 'log' | 'settings'> & {
  baseUrls: () => string[]
  ready: () => boolean
}

async function openCompliance({ pool, bus, metrics, log, settings, baseUrls, ready }: Observed) {
  const policies = await readPolicies(new URL('./docs/policies/POLICIES.md', import.meta.url))
  const probes = {
    'P-1': probeDataClasses({ db: pool('atom_analytics'), bus, schemas: SCHEMAS, topics: topicList }),
    'P-2': probeSignatures(pool('atom_marketplace'), openTrustRoot(settings.trustedRoot)),
    'P-3': probeApprovals(pool('atom_marketplace')),
    'P-4': probeObservability({ bus, topics: [topics.wpk, topics.usage], baseUrls }),
    'P-5': probeRowSecurity(pool('atom_app'), SCHEMAS),
    'P-6': probeLatency({ metrics, histogram: 'atom_http_seconds', limitSeconds: 1, ready, now }),
  }
  return createCompliance(policies, probes, now, log)
}

function logCompliance(log: Log, names: readonly ServiceName[], policies: readonly PolicyStatus[]): void {
  for (const service of names)
    for (const { id, status, detail } of policies)
      log[status === 'violated' ? 'error' : 'info']('policy', { service, id, status, detail })
}

const databaseCheck = (db: Db): HealthCheck => ({
  name: 'database',
  async run() {
    await db.query('select 1')
    return { status: 'ok' }
  },
})

const portalOrigins = ({ portalOrigins: named, portPortal }: AtomSettings): string[] =>
  named?.split(',').map((origin) => origin.trim()) ??
  ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${portPortal}`)

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
  // The ONNX runtime reports its use to its maker unless told not to, before its library loads.
  process.env.ORT_DISABLE_TELEMETRY ??= '1'
  // A reader that goes away (`npm start | head`) must not take the services with it.
  process.stdout.on('error', () => {})
  const settings = readSettings(settingDefinitions, process.env)
  for (const name of unknownSettings(settingDefinitions, process.env, clientSettings))
    process.stderr.write(`${name} is not a setting of this version and is ignored\n`)
  if (process.env.ATOM_FAULT) {
    if (settings.nodeEnv === 'production') throw new Error('ATOM_FAULT kills the process: not with NODE_ENV=production')
    armFault(process.env.ATOM_FAULT)
  }
  const names = serviceNames(process.argv.slice(2))
  const home = resolve(settings.home)
  await mkdir(home, { recursive: true, mode: 0o711 })
  const toFile = settings.logFile ?? (demoMode(settings).visitor ? join(home, 'atom.log') : '-')
  const log = openLog({ level: settings.logLevel, ...(toFile === '-' ? {} : { file: toFile }) })
  const lifecycle = createLifecycle(log)

  let stopping = false
  async function stop(code: number): Promise<void> {
    stopping = true
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
    await lifecycle.close()
    process.exit(code)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      // A terminal and npm both pass one Ctrl-C on; the deadline, not a second signal, ends a close that hangs.
      if (!stopping) void stop(0)
    })
  try {
    say(await start({ names, settings, log, lifecycle }))
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
