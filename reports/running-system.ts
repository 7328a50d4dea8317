import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Member = {
  tokens: { partner: string; tenant: string }
  api_key: string
  private_key_path: string
  public_key_path: string
  key_id: string
}
export type Credentials = {
  orgs: { atom: { tokens: Record<string, string> }; demo: Member; acme: Member }
}
export type Urls = { marketplace: string; billing: string; governance: string; portal: string; data: string }
export type Home = { folder: string; ports: number[]; urls: Urls; remove(): Promise<void> }
export type RunningSystem = {
  process: ChildProcess
  output: () => string
  /** Milliseconds from spawn until every /health was ok. */
  readyMs: number
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export const checkout = fileURLToPath(new URL('../', import.meta.url))
const NAMES = ['marketplace', 'billing', 'governance', 'portal', 'data'] as const
const START_LIMIT_MS = 60_000

/** A home of its own with five free ports, so that any number of systems can run beside each other. */
export async function freshHome(): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'atom-test-home-'))
  // As a normal installation's home is: the database server's user passes through when this runs as root.
  await chmod(folder, 0o711)
  const ports = await freePorts(NAMES.length)
  const urls = Object.fromEntries(NAMES.map((name, i) => [name, `http://127.0.0.1:${ports[i]}`])) as Urls
  return { folder, ports, urls, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** Starts the real process and waits until every service is healthy. */
export async function startSystem(home: Home, env: Record<string, string> = {}): Promise<RunningSystem> {
  const begun = performance.now()
  const child = spawn(process.execPath, ['--import', 'tsx', 'main.ts'], {
    cwd: checkout,
    env: { ...process.env, ATOM_HOME: home.folder, ...portSettings(home), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  child.stderr.on('data', (chunk) => (text += chunk))
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    return exited
  }
  try {
    for (const name of NAMES) await healthy(`${home.urls[name]}/health`, child)
  } catch (error) {
    await stop('SIGKILL')
    throw new Error(`${error instanceof Error ? error.message : error}; the process said:\n${text}`)
  }
  return { process: child, output: () => text, readyMs: performance.now() - begun, stop }
}

export const credentialsOf = async (home: Home): Promise<Credentials> =>
  JSON.parse(await readFile(join(home.folder, 'dev', 'credentials.json'), 'utf8')) as Credentials

export function portSettings({ ports }: Home): Record<string, string> {
  return Object.fromEntries(NAMES.map((name, i) => [`ATOM_PORT_${name.toUpperCase()}`, String(ports[i])]))
}

/** Asks again until the answer is as wanted; fails with the last answer. */
export async function eventually<T>(
  ask: () => Promise<T>,
  wanted: (value: T) => boolean,
  limitMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = await ask()
    if (wanted(value)) return value
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms; last seen: ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
}

export type Answer = { status: number; body: never; ms: number; type: string }
export async function request(
  method: string,
  url: string,
  options: { token?: string; body?: unknown; raw?: string | Uint8Array; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { token, body, raw, headers = {} } = options
  const begun = performance.now()
  const answer = await fetch(url, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body !== undefined || raw !== undefined ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body !== undefined ? { body: JSON.stringify(body) } : raw !== undefined ? { body: raw as BodyInit } : {}),
  })
  const text = await answer.text()
  const ms = performance.now() - begun
  const type = answer.headers.get('content-type') ?? ''
  return { status: answer.status, body: (/json/.test(type) && text ? JSON.parse(text) : text) as never, ms, type }
}

async function healthy(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS
  while (performance.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the process ended before ${url} was ok`)
    const status = await fetch(url).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status === 200) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`${url} was not ok within ${START_LIMIT_MS} ms`)
}

/** Below the range that outgoing connections take theirs from, or one of those could be in the way a moment later. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
