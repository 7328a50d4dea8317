import { fileURLToPath } from 'node:url'
import type { Server } from '../platform/db.ts'
import { startEmbeddedPostgres } from '../platform/embedded-postgres/server.ts'
import type { Lifecycle } from '../platform/lifecycle.ts'
import type { Log } from '../platform/log.ts'
import { migrate } from '../platform/migrate.ts'

export type Database = { server: Server; description: string; applied: number }
const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url))

/** The managed server of `url`, or the embedded one in `home`; migrated either way. */
export async function openDatabase(
  options: { url: string | undefined; home: string; log: Log },
  lifecycle: Lifecycle,
): Promise<Database> {
  const { url, home, log } = options
  if (url !== undefined) {
    const { applied } = await migrate({ url }, MIGRATIONS)
    return { server: { url }, description: 'PostgreSQL of DATABASE_URL', applied: applied.length }
  }
  const embedded = await startEmbeddedPostgres(home, log)
  lifecycle.onClose('embedded database', embedded.stop)
  const server = { socketFolder: embedded.socketFolder, database: 'atom' }
  const { applied } = await migrate(server, MIGRATIONS)
  return { server, description: embedded.adopted ? 'embedded, joined' : 'embedded', applied: applied.length }
}
