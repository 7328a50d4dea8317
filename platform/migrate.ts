import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { connectionFor, type Server } from './db.ts'

export type Migrated = { applied: string[]; total: number }
export class MigrationChanged extends Error {}

/**
 * Applies the SQL files of `folder` in name order, each in a transaction of its own, under a session lock:
 * a second starter waits, and a crash frees the lock (a lock kept as a row would stay).
 * A file that changed after it was applied is refused.
 */
export async function migrate(server: Server, folder: string): Promise<Migrated> {
  await ensureDatabase(server)
  const client = new pg.Client({ ...connectionFor(server), options: '-c timezone=UTC' })
  await client.connect()
  try {
    await client.query("select pg_advisory_lock(hashtextextended('atom.migrate', 0))")
    await client.query('create schema if not exists platform')
    await client.query(`create table if not exists platform.migrations
      (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`)
    const done = new Map<string, string>()
    const known = await client.query<{ name: string; sha256: string }>('select name, sha256 from platform.migrations')
    for (const { name, sha256 } of known.rows) done.set(name, sha256)
    const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
    const applied: string[] = []
    for (const name of files) {
      const sql = await readFile(join(folder, name), 'utf8')
      const sha256 = createHash('sha256').update(sql).digest('hex')
      if (done.get(name) === sha256) continue
      if (done.has(name)) throw new MigrationChanged(`migration ${name} was changed after it was applied`)
      await client.query('begin')
      await client.query(sql)
      await client.query('insert into platform.migrations (name, sha256) values ($1, $2)', [name, sha256])
      await client.query('commit')
      applied.push(name)
    }
    return { applied, total: files.length }
  } finally {
    await client.end()
  }
}

async function ensureDatabase(server: Server): Promise<void> {
  if (!('socketFolder' in server)) return
  const client = new pg.Client({ ...connectionFor(server), database: 'postgres' })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [server.database])
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(server.database)}`)
  } catch (error) {
    // Two processes started at once: the other one made it.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error
  } finally {
    await client.end()
  }
}
