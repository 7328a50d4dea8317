import { createHash } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Db, openDb } from '../../platform/db.ts'
import { type EmbeddedServer, startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { migrate } from '../../platform/migrate.ts'

export type SocketServer = { socketFolder: string; database: string }
export type TestDatabase = {
  server: SocketServer
  /** The pool of one role; `postgres` sees and may do everything, to look behind the services' backs. */
  as(role: string): Db
  /** Closes the pools and drops the database. */
  drop(): Promise<void>
}
type TestServer = { home: string; embedded: EmbeddedServer }

const TEMPLATE = 'atom_test_template'
export const migrationsFolder = fileURLToPath(new URL('../../deploy/migrations', import.meta.url))

let starting: Promise<TestServer> | undefined
let made = 0

/** A migrated, empty database of its own, cloned from a template; the server starts with the first call. */
export async function freshDatabase(): Promise<TestDatabase> {
  const { embedded } = await testServer()
  made += 1
  const database = testName(`atom_test_${made}`)
  await statement(embedded, `create database ${database} template ${TEMPLATE}`)
  return openTestDatabase({ socketFolder: embedded.socketFolder, database })
}

/** A database without migrations, for the tests of the migrator. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const { embedded } = await testServer()
  made += 1
  const database = testName(`atom_test_${made}`)
  await statement(embedded, `create database ${database} template template0`)
  return openTestDatabase({ socketFolder: embedded.socketFolder, database })
}

/** Throws unless the name says that losing the database is no loss. */
export function testName(database: string): string {
  if (/^[a-z0-9_]*test[a-z0-9_]*$/.test(database)) return database
  throw new Error(`refused: ${database} does not have "test" in its name`)
}

/** Stops the server, if any test started it, and removes its folders. */
export async function stopTestServer(): Promise<void> {
  const started = starting
  starting = undefined
  if (!started) return
  const { home, embedded } = await started
  await embedded.stop()
  await rm(home, { recursive: true, force: true })
  await rm(embedded.socketFolder, { recursive: true, force: true })
}

function openTestDatabase(server: SocketServer): TestDatabase {
  const pools = new Map<string, Db>()
  return {
    server,
    as(role) {
      const known = pools.get(role) ?? openDb(server, role, 12)
      pools.set(role, known)
      return known
    },
    async drop() {
      await Promise.all([...pools.values()].map((pool) => pool.close()))
      await statement(server, `drop database ${testName(server.database)} with (force)`)
    },
  }
}

function testServer(): Promise<TestServer> {
  starting ??= start()
  return starting
}

async function start(): Promise<TestServer> {
  const home = await mkdtemp(join(tmpdir(), 'atom-test-'))
  // The server may run as another user and has to reach its data inside.
  await chmod(home, 0o711)
  const embedded = await startEmbeddedPostgres(home, silentLog)
  // Nothing here has to survive a crash: without waiting for the disk the tests take half the time.
  for (const setting of ['fsync = off', 'synchronous_commit = off', 'full_page_writes = off', 'autovacuum = off'])
    await statement(embedded, `alter system set ${setting}`)
  await statement(embedded, 'select pg_reload_conf()')
  await migrate({ socketFolder: embedded.socketFolder, database: testName(TEMPLATE) }, migrationsFolder)
  return { home, embedded }
}

/** One statement as the server's owner, outside every test database. */
async function statement({ socketFolder }: { socketFolder: string }, sql: string): Promise<void> {
  const db = openDb({ socketFolder, database: 'postgres' }, 'postgres', 1)
  try {
    await db.query(sql)
  } finally {
    await db.close()
  }
}

export const sha256 = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')
