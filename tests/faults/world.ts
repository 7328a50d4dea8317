import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type RunningKafka, startKafka } from '../../deploy/kafka/start.ts'
import { type Db, openDb } from '../../platform/db.ts'
import { startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { type Credentials, checkout, freshHome, type Home, portSettings } from '../../reports/running-system.ts'
import { type KafkaProxy, openKafkaProxy } from './kafka-proxy.ts'

export type Backend = 'embedded' | 'kafka'
export type Running = {
  pid: number
  urls: Home['urls']
  output(): string
  alive(): boolean
  /** The signal that ended it, or null for an orderly end. */
  ended: Promise<NodeJS.Signals | null>
  signal(name: NodeJS.Signals): Promise<NodeJS.Signals | null>
}
export type StartOptions = { env?: Record<string, string>; home?: Home; wait?: boolean }
export type World = {
  backend: Backend
  home: Home
  /** Sees and may do everything, to look behind the services' backs. */
  owner: Db
  databaseUrl(at?: { port: number }): string
  socketFolder: string
  kafka: RunningKafka | undefined
  /** Stands in front of brokers that are three. */
  proxy: KafkaProxy | undefined
  start(services: readonly string[], options?: StartOptions): Promise<Running>
  credentials(): Promise<Credentials['orgs']>
  /** Ends the server process as `pg_ctl stop -m immediate` does; it comes back by itself. */
  crashDatabase(): Promise<void>
  close(): Promise<void>
}

const START_LIMIT_MS = 90_000
/** The services promise less than 3 s on a machine that is not busy with four such systems. */
const STOP_LIMIT_MS = 15_000

/** A database server and, on Kafka, brokers of its own; the services' processes come and go on them. */
export async function openWorld(backend: Backend, brokers: 1 | 3 = 1): Promise<World> {
  const home = await freshHome()
  const server = await startEmbeddedPostgres(join(home.folder, 'managed'), silentLog)
  const admin = openDb({ socketFolder: server.socketFolder, database: 'postgres' }, 'postgres', 1)
  await admin.query('create database faults_test')
  const [shown] = await admin.query<{ data_directory: string }>('show data_directory')
  await admin.close()
  const proxy = brokers === 3 ? openKafkaProxy() : undefined
  const between = proxy ? { behind: proxy.behind } : {}
  const folder = join(home.folder, 'kafka')
  const kafka = backend === 'kafka' ? await startKafka({ folder, brokers, log: silentLog, ...between }) : undefined
  const owner = openDb({ socketFolder: server.socketFolder, database: 'faults_test' }, 'postgres', 4)
  const children = new Set<Running>()
  // Ended from outside: the database and the brokers notice by themselves, the services' processes would stay.
  const endAll = () => {
    for (const one of children) void one.signal('SIGKILL')
  }
  process.once('exit', endAll)
  const databaseUrl = (at?: { port: number }) =>
    `postgresql://postgres@${at ? `127.0.0.1:${at.port}` : encodeURIComponent(server.socketFolder)}/faults_test`

  async function start(services: readonly string[], options: StartOptions = {}): Promise<Running> {
    const ports = options.home ?? home
    const env = {
      ...process.env,
      ATOM_HOME: home.folder,
      ATOM_LOG_LEVEL: 'warn',
      // Invoices are issued by the run that is about that, and the month that loads report for stays open.
      ATOM_COLLECTION_HOURS: '3000',
      DATABASE_URL: databaseUrl(),
      ...(kafka ? { KAFKA_BROKERS: kafka.brokers.join(',') } : {}),
      ...portSettings(ports),
      ...options.env,
    }
    const child = spawn(process.execPath, ['--import', 'tsx', 'main.ts', ...services], { cwd: checkout, env })
    const running = follow(child, ports)
    children.add(running)
    void running.ended.then(() => children.delete(running))
    if (options.wait !== false) for (const name of services) await answering(running, name as keyof Home['urls'])
    return running
  }

  return {
    backend,
    home,
    owner,
    databaseUrl,
    socketFolder: server.socketFolder,
    kafka,
    proxy,
    start,
    credentials: async () =>
      (JSON.parse(await readFile(join(home.folder, 'dev', 'credentials.json'), 'utf8')) as Credentials).orgs,
    async crashDatabase() {
      const file = await readFile(join(shown?.data_directory as string, 'postmaster.pid'), 'utf8')
      process.kill(Number(file.split('\n')[0]), 'SIGQUIT')
    },
    async close() {
      process.off('exit', endAll)
      await Promise.all([...children].map((one) => one.signal('SIGKILL')))
      await owner.close()
      await server.stop()
      await kafka?.stop()
      await proxy?.close()
      await home.remove()
      await rm(server.socketFolder, { recursive: true, force: true })
      await rm(shown?.data_directory as string, { recursive: true, force: true })
    },
  }
}

function follow(child: ChildProcess, { urls }: Home): Running {
  let text = ''
  child.stdout?.on('data', (chunk) => (text += chunk))
  child.stderr?.on('data', (chunk) => (text += chunk))
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)))
  const alive = () => child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid as number,
    urls,
    output: () => text,
    alive,
    ended,
    async signal(name) {
      if (alive()) child.kill(name)
      if (name !== 'SIGTERM') return ended
      const late = new AbortController()
      const limit = pause(STOP_LIMIT_MS, 'late' as const, { signal: late.signal }).catch(() => 'late' as const)
      const signal = await Promise.race([ended, limit])
      late.abort()
      if (signal !== 'late') return signal
      child.kill('SIGKILL')
      throw new Error(`a process did not end within ${STOP_LIMIT_MS} ms of SIGTERM; it said:\n${text.slice(-2_000)}`)
    },
  }
}

/** Answering is enough: a service that is behind, or was slow a moment ago, calls itself degraded. */
async function answering(running: Running, name: keyof Home['urls']): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS
  while (running.alive() && performance.now() < deadline) {
    const status = await fetch(`${running.urls[name]}/health`)
      .then(async (answer) => ((await answer.json()) as { status: string }).status)
      .catch(() => 'starting')
    if (status !== 'starting') return
    await pause(25)
  }
  throw new Error(`${name} did not start; the process said:\n${running.output()}`)
}
