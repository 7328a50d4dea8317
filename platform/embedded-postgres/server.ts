import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { closeSync, existsSync, openSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { messageOf } from '../errors.ts'
import { isAlive, lockFile } from '../file-lock.ts'
import type { Log } from '../log.ts'
import { postgresBinaries } from './binaries.ts'
import { type RunAs, reachableByOthers, serverUser } from './run-as.ts'

export type EmbeddedServer = {
  /** Folder of the unix socket: the server listens nowhere else, so ports never clash and nobody else gets in. */
  socketFolder: string
  adopted: boolean
  stop(): Promise<void>
}

const SUPERUSER = 'postgres'
const ELSEWHERE = '/var/tmp'
const DATA_PREFIX = 'atom-data-'
const START_TIMEOUT_MS = 20_000
const run = promisify(execFile)

/**
 * Stops the server when the pipe from this process closes, however this process ended (SIGINT is Postgres' fast
 * shutdown), and ends when the server does. The pipe is moved to descriptor 3: a shell gives background jobs no input.
 */
const WATCHDOG =
  'exec 3<&0; "$@" 3<&- & pid=$!; { cat <&3 >/dev/null; kill -INT $pid 2>/dev/null; } & exec 3<&-; wait $pid'
const RELAUNCH_AFTER_MS = 500

/**
 * Starts the embedded server for `home`, or joins the one that already serves it.
 * A server left by a killed process is waited for and replaced; its data is kept.
 */
export async function startEmbeddedPostgres(home: string, log: Log): Promise<EmbeddedServer> {
  await mkdir(home, { recursive: true })
  const runAs = serverUser()
  const binaries = await postgresBinaries(home, runAs)
  const data = await dataFolder(home, runAs)
  const socketFolder = await ensureSocketFolder(data, runAs)
  const release = await lockFile(join(home, 'postgres.lock'), START_TIMEOUT_MS, `starting the database of ${home}`)
  try {
    if (await joinsRunning(home, data, socketFolder, log))
      return { socketFolder, adopted: true, stop: takeOverLater(home, data, log) }
    await initialise(binaries, data, runAs)
    const logFile = join(home, 'postgres.log')
    const begin = () => launch(binaries, data, socketFolder, logFile, runAs)
    const child = begin()
    await writeFile(join(home, 'postgres.owner'), String(process.pid))
    await answering(socketFolder, child, logFile)
    const stop = keepRunning(child, begin, log)
    // Only when empty: a process that joined may have made it its own meanwhile.
    return { socketFolder, adopted: false, stop: () => stop().then(() => rmdir(socketFolder).catch(() => {})) }
  } finally {
    await release()
  }
}

/** Inside `home`, unless the server's user cannot get there; then beside the system's other lasting data. */
async function dataFolder(home: string, runAs: RunAs): Promise<string> {
  if (!runAs || reachableByOthers(home)) return join(home, 'postgres')
  await removeForsaken()
  const marker = join(home, 'postgres.id')
  if (!existsSync(marker)) await writeFile(marker, randomUUID())
  // The id is part of `home`: deleting `home` is a fresh start even though the data lies elsewhere.
  const data = join(ELSEWHERE, `${DATA_PREFIX}${(await readFile(marker, 'utf8')).trim()}`)
  await writeFile(`${data}.home`, home, { mode: 0o600 })
  return data
}

/** Data that lies elsewhere and whose home was deleted would stay for ever: the file beside it tells. */
async function removeForsaken(): Promise<void> {
  for (const name of (await readdir(ELSEWHERE)).filter((one) => one.startsWith(DATA_PREFIX) && one.endsWith('.home'))) {
    const note = join(ELSEWHERE, name)
    if ((await stat(note)).uid !== process.getuid?.()) continue
    const id = name.slice(DATA_PREFIX.length, -'.home'.length)
    const owner = await readFile(join(await readFile(note, 'utf8'), 'postgres.id'), 'utf8').catch(() => '')
    const data = note.slice(0, -'.home'.length)
    if (owner.trim() === id || existsSync(join(data, 'postmaster.pid'))) continue
    await rm(data, { recursive: true, force: true })
    await rm(note, { force: true })
  }
}

async function ensureSocketFolder(data: string, runAs: RunAs): Promise<string> {
  const key = createHash('sha256').update(data).digest('hex').slice(0, 12)
  // A socket's path holds 107 bytes at most, so it cannot live in a deep checkout.
  const folder = join(tmpdir(), `atom-pg-${key}`)
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const found = await stat(folder)
  if (found.uid !== process.getuid?.() && found.uid !== runAs?.uid)
    throw new Error(`${folder} belongs to somebody else`)
  if (runAs) await chown(folder, runAs.uid, runAs.gid)
  await chmod(folder, 0o700)
  return folder
}

/** True when a healthy server of a living owner already runs on `data`; waits for an orphan to go away. */
async function joinsRunning(home: string, data: string, socketFolder: string, log: Log): Promise<boolean> {
  for (let waited = 0; ; waited += 50) {
    const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0])
    if (!pid || !isAlive(pid)) return false
    const owner = Number(await readFile(join(home, 'postgres.owner'), 'utf8').catch(() => '0'))
    const serves = await servesData(socketFolder, data)
    if (serves && owner > 0 && isAlive(owner)) {
      log.info('joined the running embedded database', { owner })
      return true
    }
    if (serves && waited >= 2_000 && waited % 1_000 === 0) {
      log.warn('stopping an embedded database whose owner is gone', { pid })
      process.kill(pid, 'SIGINT')
    }
    if (waited > START_TIMEOUT_MS)
      throw new Error(`process ${pid} holds ${data} and is not our database server; stop it or remove postmaster.pid`)
    await pause(50)
  }
}

async function initialise(binaries: string, data: string, runAs: RunAs): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) return
  const partial = `${data}.new`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  if (runAs) await chown(partial, runAs.uid, runAs.gid)
  const args = ['-D', partial, '-U', SUPERUSER, '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-instructions']
  await run(join(binaries, 'bin', 'initdb'), args, { ...identity(runAs), cwd: '/', env: serverEnv() })
  // Renamed only when whole: a first start that was killed half-way begins again.
  await rename(partial, data)
}

function launch(binaries: string, data: string, socketFolder: string, logFile: string, runAs: RunAs): ChildProcess {
  const output = openSync(logFile, 'a', 0o600)
  const settings = ['listen_addresses=', `unix_socket_directories=${socketFolder}`, 'unix_socket_permissions=0700']
  const tuning = ['max_connections=200', 'max_wal_size=4GB', 'jit=off']
  const flags = [...settings, ...tuning].flatMap((setting) => ['-c', setting])
  const child = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', join(binaries, 'bin', 'postgres'), '-D', data, ...flags], {
    ...identity(runAs),
    cwd: '/',
    env: serverEnv(),
    // Its own session: a Ctrl-C in the terminal reaches us first, and we stop it in order.
    detached: true,
    stdio: ['pipe', output, output],
  })
  closeSync(output)
  return child
}

async function answering(socketFolder: string, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  let last: unknown
  while (performance.now() < deadline) {
    if (child.exitCode !== null) break
    try {
      await ask(socketFolder, 'select 1')
      return
    } catch (error) {
      last = error
      await pause(15)
    }
  }
  child.stdin?.end()
  const tail = (await readFile(logFile, 'utf8').catch(() => '')).split('\n').slice(-6).join('\n')
  throw new Error(`the embedded database did not start (${messageOf(last)}); its log ends with:\n${tail}`)
}

/** Watches a server that another process owns and becomes its owner when that one ends. Returns how to let go. */
function takeOverLater(home: string, data: string, log: Log): () => Promise<void> {
  let stopped = false
  let owned: EmbeddedServer | undefined
  let looking: Promise<void> = Promise.resolve()

  async function look(): Promise<void> {
    const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0])
    if (isAlive(pid) || stopped) return
    log.warn('the embedded database ended with its owner, starting it here')
    owned = await startEmbeddedPostgres(home, log)
    clearInterval(timer)
    if (stopped) await owned.stop()
  }

  const timer = setInterval(() => {
    looking = looking
      .then(look)
      .catch((error) => log.error('cannot take the database over', { error: messageOf(error) }))
  }, RELAUNCH_AFTER_MS)
  return async () => {
    stopped = true
    clearInterval(timer)
    await looking
    await owned?.stop()
  }
}

/** Starts the server again when it ends by itself; its clients reconnect. Returns how to stop it for good. */
function keepRunning(first: ChildProcess, begin: () => ChildProcess, log: Log): () => Promise<void> {
  let child = first
  let stopping = false
  let timer: NodeJS.Timeout | undefined

  function watch(): void {
    child.once('exit', (code, signal) => {
      child.stdin?.destroy()
      if (stopping) return
      log.error('the embedded database ended by itself, starting it again', { code, signal })
      timer = setTimeout(() => {
        child = begin()
        watch()
      }, RELAUNCH_AFTER_MS)
    })
  }

  watch()
  return async () => {
    stopping = true
    clearTimeout(timer)
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.stdin?.end()
    await gone
  }
}

async function servesData(socketFolder: string, data: string): Promise<boolean> {
  try {
    return (await ask(socketFolder, 'show data_directory')) === data
  } catch {
    return false
  }
}

async function ask(socketFolder: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ host: socketFolder, user: SUPERUSER, database: 'postgres' })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end().catch(() => {})
  }
}

const identity = (runAs: RunAs) => (runAs ? { uid: runAs.uid, gid: runAs.gid } : {})
/** Nothing of our environment: no locale, no secrets. */
const serverEnv = () => ({ PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' })
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
