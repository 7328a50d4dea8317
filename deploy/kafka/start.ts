import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { openSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { brokersListed } from '../../platform/bus/kafka.ts'
import { messageOf } from '../../platform/errors.ts'
import { type Log, openLog, silentLog } from '../../platform/log.ts'
import { kafkaJars } from './jars.ts'
import { type BrokerSettings, type Ports, serverProperties } from './properties.ts'

export type KafkaOptions = {
  /** Where data, settings and logs of this cluster lie. */
  folder: string
  brokers: 1 | 3
  log: Log
  /** The first broker listens here, its controller one above, the next broker two above; free ports without it. */
  firstPort?: number
  /** What is between brokers and those who reach them: further settings of each broker, and its address for clients. */
  behind?: (ports: readonly Ports[]) => Promise<Route[]>
}
export type Route = { address: string; settings: BrokerSettings }
export type Broker = { pid: number; kill(signal: NodeJS.Signals): void }
export type RunningKafka = {
  /** `host:port` of each broker. */
  brokers: string[]
  broker(index: number): Broker
  /** Starts a broker that ended again, on its ports and with its data, and waits until all are listed. */
  restart(index: number): Promise<void>
  /** Resolves with the index of the first broker that ends without being asked to. */
  died: Promise<number>
  stop(): Promise<void>
}
type Started = Broker & { child: ChildProcess; gone: Promise<void>; address: string }

const run = promisify(execFile)
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000
const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/**
 * Prints the broker's pid and stays with it. The pipe from this process closes when this process ends, however it ended,
 * and takes the broker with it. Without the redirection a background `cat` would read /dev/null.
 */
const WATCHDOG = `exec 3<&0; "$@" >>"$BROKER_LOG" 2>&1 3<&- & pid=$!; echo $pid
(cat >/dev/null; kill -TERM $pid; sleep 5; kill -KILL $pid) <&3 >/dev/null 2>&1 & watch=$!
wait $pid; code=$?; kill -KILL $watch 2>/dev/null; exit $code`

/** Starts one broker or a cluster of three on loopback, and waits until the cluster lists them all. */
export async function startKafka(options: KafkaOptions): Promise<RunningKafka> {
  const { folder, brokers, log, firstPort } = options
  const jars = join(await kafkaJars(), '*')
  // Another number of brokers is another cluster, with data of its own.
  const home = join(resolve(folder), `cluster-of-${brokers}`)
  const ports = await portsFor(brokers, firstPort)
  const routes = await options.behind?.(ports)
  const clusterId = await clusterIdOf(home)
  const started: Started[] = []
  let stopping = false
  async function stop(): Promise<void> {
    stopping = true
    await Promise.all(started.map(end))
  }
  try {
    const start = (index: number) => launch({ jars, home, ports, index, clusterId, route: routes?.[index] })
    for (const index of ports.keys()) started.push(await start(index))
    const addresses = started.map(({ address }) => address)
    await listed(started, addresses, home)
    log.info('kafka runs', { brokers: addresses, folder: home })
    const died = new Promise<number>((tell) => {
      for (const [index, { gone }] of started.entries()) void gone.then(() => stopping || tell(index))
    })
    return {
      brokers: addresses,
      broker: (index) => started[index] as Started,
      async restart(index) {
        await started[index]?.gone
        started[index] = await start(index)
        await listed(started, addresses, home)
      },
      died,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

type Launch = {
  jars: string
  home: string
  ports: readonly Ports[]
  index: number
  clusterId: string
  route: Route | undefined
}

async function launch({ jars, home, ports, index, clusterId, route }: Launch): Promise<Started> {
  const folder = join(home, `broker-${index + 1}`)
  const properties = join(folder, 'server.properties')
  await mkdir(folder, { recursive: true })
  await writeFile(properties, serverProperties(index, ports, join(folder, 'data'), route?.settings))
  // One word: an id may begin with a dash, and as a word of its own it would be read as an option.
  const format = ['format', `--cluster-id=${clusterId}`, '-c', properties, '--ignore-formatted']
  await run('java', ['-cp', jars, '-Xmx128m', ...JVM, 'kafka.tools.StorageTool', ...format])
  const logFile = join(folder, 'broker.log')
  const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  const command = ['java', '-cp', jars, '-Xmx512m', '-Xms128m', ...JVM, logging, 'kafka.Kafka', properties]
  const child = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', ...command], {
    cwd: folder,
    env: { PATH: process.env.PATH, JAVA_HOME: process.env.JAVA_HOME, LC_ALL: 'C', BROKER_LOG: logFile },
    // Its own session: a Ctrl-C in the terminal reaches us first, and we stop the brokers in order.
    detached: true,
    stdio: ['pipe', 'pipe', openSync(logFile, 'a', 0o600)],
  })
  const gone = new Promise<void>((tell) =>
    child.once('exit', () => {
      child.stdin?.destroy()
      tell()
    }),
  )
  const pid = await new Promise<number>((tell, fail) => {
    child.stdout?.once('data', (line: Buffer) => tell(Number(line.toString())))
    child.once('error', fail)
    void gone.then(() => fail(new Error(`broker ${index + 1} did not start; see ${logFile}`)))
  })
  const kill = (signal: NodeJS.Signals) => {
    // Once its shell is gone the number may belong to somebody else.
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, signal)
  }
  return { pid, kill, child, gone, address: route?.address ?? `127.0.0.1:${ports[index]?.client}` }
}

async function listed(started: readonly Started[], addresses: string[], home: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  let last = 'not asked'
  while (performance.now() < deadline && started.every(({ child }) => child.exitCode === null)) {
    try {
      const count = await brokersListed(addresses, silentLog)
      if (count === addresses.length) return
      last = `${count} of ${addresses.length} brokers listed`
    } catch (error) {
      last = messageOf(error)
    }
    await pause(100)
  }
  throw new Error(`Kafka did not start (${last}); see broker.log in the folders of ${home}`)
}

/** SIGTERM to all leaves the last one without a quorum, and it waits for one: after 5 s it is killed. */
async function end({ kill, gone }: Started): Promise<void> {
  kill('SIGTERM')
  const late = new AbortController()
  void pause(STOP_TIMEOUT_MS, undefined, { signal: late.signal }).then(
    () => kill('SIGKILL'),
    () => {},
  )
  await gone
  late.abort()
}

async function clusterIdOf(home: string): Promise<string> {
  const path = join(home, 'cluster.id')
  await mkdir(home, { recursive: true })
  await writeFile(path, randomBytes(16).toString('base64url'), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  return (await readFile(path, 'utf8')).trim()
}

async function portsFor(brokers: number, first: number | undefined): Promise<Ports[]> {
  const wanted = Array.from({ length: brokers * 2 }, (_, n) => (first === undefined ? 0 : first + n))
  const servers = await Promise.all(wanted.map(reserve))
  const found = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return Array.from({ length: brokers }, (_, n) => ({
    client: found[2 * n] as number,
    controller: found[2 * n + 1] as number,
  }))
}

async function reserve(port: number) {
  const server = createServer()
  await new Promise<void>((done, fail) => {
    server.once('error', () => fail(new Error(`port ${port} is in use; is a broker running already?`)))
    server.listen(port, '127.0.0.1', done)
  })
  return server
}

async function main(args: readonly string[]): Promise<void> {
  const at = args.indexOf('--brokers')
  const count = at < 0 ? 1 : Number(args[at + 1])
  if (count !== 1 && count !== 3) throw new Error('--brokers takes 1 or 3')
  const folder = join(resolve(process.env.ATOM_HOME ?? '.atom'), 'kafka')
  const begun = performance.now()
  const kafka = await startKafka({ folder, brokers: count, log: openLog({ level: 'warn' }), firstPort: 9092 })
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
  process.stdout.write(`Apache Kafka: ${count} broker(s) on loopback after ${seconds} s, data in ${folder}\n`)
  process.stdout.write(`KAFKA_BROKERS=${kafka.brokers.join(',')} npm start\nCtrl-C stops it.\n`)
  const signal = new Promise<void>((tell) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => tell())
  })
  const dead = await Promise.race([signal, kafka.died])
  if (dead !== undefined) process.stderr.write(`broker ${dead + 1} ended; stopping\n`)
  await kafka.stop()
  process.exit(dead === undefined ? 0 : 1)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(1)
  })
