import type { Socket } from 'node:net'
import knexFactory, { type Knex } from 'knex'
import type pg from 'pg'

export type Tx = Knex.Transaction
/** Where a server is: a unix socket folder with a database name, or the URL of a managed one. */
export type Server = { socketFolder: string; database: string } | { url: string }

/** Whose rows a transaction may see. Row-level security reads it; without it no tenant row exists. */
export type Scope = { org: string; operator: boolean }

export type TransactionOptions = {
  scope?: Scope
  /**
   * Keys to lock first. Keyed state events must be locked before anything gives the transaction its id:
   * readers follow transaction ids, and a later writer with an earlier id would turn the order round.
   */
  locks?: readonly string[]
}

export type Db = {
  role: string
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** One statement outside any tenant's scope. */
  query<R>(sql: string, bindings?: readonly unknown[]): Promise<R[]>
  close(): Promise<void>
}

// A transaction that stays open holds back every reader of the event log, so it is ended for it.
const SESSION = '-c statement_timeout=10s -c idle_in_transaction_session_timeout=5s -c timezone=UTC'

/** Longer than any statement may take: what says nothing for so long is no connection any more. */
const SILENT_MS = 15_000

/** A pool that acts as one database role. `max` connections at most; none is held while idle for long. */
export function openDb(server: Server, role: string, max = 6, silentMs = SILENT_MS): Db {
  const knex = knexFactory({
    client: 'pg',
    connection: connectionFor(server, role) as Knex.PgConnectionConfig,
    pool: { min: 0, max, idleTimeoutMillis: 30_000, afterCreate: endWhenSilent(silentMs) },
    acquireConnectionTimeout: 10_000,
  })
  return {
    role,
    transaction: (work, options = {}) =>
      knex.transaction(async (tx) => {
        if (options.locks?.length) await lockKeys(tx, options.locks)
        if (options.scope) await enterScope(tx, options.scope)
        return work(tx)
      }),
    query: (sql, bindings = []) => rows(knex, sql, bindings),
    close: () => knex.destroy(),
  }
}

type Opened = { _getActiveQuery(): unknown; connection: { stream: Socket } }

/** A peer that vanished never ends a connection; the statement that waits for it, and the pool, would hang for good. */
const endWhenSilent = (ms: number) => (opened: Opened, done: (error: null, opened: Opened) => void) => {
  const { stream } = opened.connection
  stream.setTimeout(ms)
  stream.on('timeout', () => {
    if (!opened._getActiveQuery()) return
    stream.destroy(Object.assign(new Error(`the database said nothing for ${ms} ms`), { code: 'ETIMEDOUT' }))
  })
  done(null, opened)
}

/** Rows of one parameterised statement (`?` placeholders; never build SQL from input). */
export async function rows<R>(on: Knex | Tx, sql: string, bindings: readonly unknown[] = []): Promise<R[]> {
  const result = await on.raw<{ rows: R[] }>(sql, bindings as Knex.RawBinding[])
  return result.rows
}

export async function row<R>(on: Knex | Tx, sql: string, bindings: readonly unknown[] = []): Promise<R | undefined> {
  return (await rows<R>(on, sql, bindings))[0]
}

/** Changed rows of one parameterised statement. */
export async function execute(on: Knex | Tx, sql: string, bindings: readonly unknown[] = []): Promise<number> {
  const result = await on.raw<{ rowCount: number | null }>(sql, bindings as Knex.RawBinding[])
  return result.rowCount ?? 0
}

async function enterScope(tx: Tx, scope: Scope): Promise<void> {
  await tx.raw("select set_config('app.org', ?, true), set_config('app.operator', ?, true)", [
    scope.org,
    scope.operator ? 'on' : 'off',
  ])
}

/** Sorted, so that two transactions with the same keys never wait for each other in a circle. */
async function lockKeys(tx: Tx, keys: readonly string[]): Promise<void> {
  const sorted = [...new Set(keys)].sort()
  await tx.raw('select pg_advisory_xact_lock(hashtextextended(key, 0)) from unnest(?::text[]) as key', [sorted])
}

/** Connection settings that log in as `role`, or log in with the URL and become `role` before the first statement. */
export function connectionFor(server: Server, role?: string): pg.ClientConfig {
  // Seen in `pg_stat_activity`, where of a managed server's sessions the user is the same for all roles.
  const application_name = role ?? 'atom'
  if ('socketFolder' in server) {
    const { socketFolder: host, database } = server
    return { host, database, user: role ?? 'postgres', application_name, options: SESSION }
  }
  return {
    connectionString: server.url,
    application_name,
    options: role ? `${SESSION} -c role=${role}` : '-c timezone=UTC',
  }
}

/** SQLSTATE of a database error, or null. */
export const sqlState = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : null
