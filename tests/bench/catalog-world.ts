import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Db, openDb } from '../../platform/db.ts'
import { startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { migrate } from '../../platform/migrate.ts'
import { countDownloads } from '../../producers/marketplace/catalog/downloads.ts'
import { marketplaceRoutes } from '../../producers/marketplace/index.ts'
import { publicTrustRoot } from '../../producers/marketplace/trust/trust-root.ts'
import { migrationsFolder } from '../support/database.ts'
import { openOrganisations } from '../support/organisations.ts'
import { registryKey } from '../support/registry-key.ts'
import { startService, type TestService } from '../support/service.ts'

export type CatalogWorld = { service: TestService; token: string; owner: Db; close(): Promise<void> }
export const PUBLISHERS = 200
/** Versions of a name. */
const PER_NAME = 10
/** Filling is a few statements of minutes each. */
const FILL_MS = 900_000

/** The marketplace's calls on a database with that many versions, of 200 publishers, as one of them sees them. */
export async function openCatalogWorld(versions: number): Promise<CatalogWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'atom-bench-'))
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres(folder, silentLog)
  const server = { socketFolder: postgres.socketFolder, database: 'bench_test' }
  await migrate(server, migrationsFolder)
  const pools = new Map<string, Db>()
  const as = (role: string): Db => {
    const pool = pools.get(role) ?? openDb(server, role, 8, FILL_MS)
    pools.set(role, pool)
    return pool
  }
  const now = () => new Date()
  const members = Array.from({ length: PUBLISHERS }, (_, n) => `org-${n}`)
  const organisations = await openOrganisations({ server, as, drop: async () => {} }, members, now)
  await fill(as('postgres'), versions)
  const deps = {
    db: as('atom_app'),
    wake: () => {},
    now,
    publicUrl: () => 'http://market.test',
    reviewTargetHours: 24,
    memberIssuers: [],
    trustRoot: publicTrustRoot,
    registryKey: registryKey(),
  }
  const all = as('atom_marketplace')
  const routes = marketplaceRoutes(deps, all, countDownloads({ db: all, now }))
  const service = await startService(routes, organisations.authenticate)
  return {
    service,
    token: await organisations.token('org-7', 'partner'),
    owner: as('postgres'),
    async close() {
      await service.close()
      for (const pool of pools.values()) await pool.close()
      await organisations.close()
      await postgres.stop()
      await rm(folder, { recursive: true, force: true })
      await rm(postgres.socketFolder, { recursive: true, force: true })
    },
  }
}

/**
 * Names of two words of 60 and a number, so that a word is in one name of thirty; a description of 40 words of 2,000, the
 * first ones far more often than the last; 1 to 3 tags of 300. Nine versions of ten are published.
 */
async function fill(owner: Db, versions: number): Promise<void> {
  const statement = (sql: string, bindings: unknown[] = []) =>
    owner.transaction(async (tx) => {
      await tx.raw('set local statement_timeout = 0')
      await tx.raw('select setseed(0.5)')
      await tx.raw(sql, bindings as string[])
    })
  const names = Math.ceil(versions / PER_NAME)
  await statement(
    `insert into marketplace.names (name, org, created_at)
     select 'w' || (n * 7) % 60 || 'x-w' || (n * 13) % 60 || 'x-' || n, 'org-' || n % ${PUBLISHERS}, now()
     from generate_series(0, ? - 1) n`,
    [names],
  )
  await statement(
    `insert into platform.artifacts (org, digest, bytes, stored_at)
     select 'org-' || (n / ${PER_NAME}) % ${PUBLISHERS}, 'sha256:' || encode(sha256(n::text::bytea), 'hex'), n::text::bytea, now()
     from generate_series(0, ? - 1) n`,
    [versions],
  )
  await statement(
    `insert into marketplace.versions (org, id, name, version, digest, media_type, description, tags, safety_mode, status,
       reason, key_id, signature_form, signature, verdict, risk_score, submitted_at, due_at, published_at)
     select a.org, ('0199' || lpad(to_hex((n::bigint * 7919) % ?), 8, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
       a.name, '1.' || n % ${PER_NAME} || '.0', 'sha256:' || encode(sha256(n::text::bytea), 'hex'), 'application/json',
       (select string_agg('word' || floor(power(random(), 3) * 2000)::int, ' ') from generate_series(1, 40 + n % 2)),
       (select array_agg('tag' || floor(power(random(), 2) * 300)::int) from generate_series(1, 1 + n % 3)),
       'manual', case n % 10 when 3 then 'in_review' else 'published' end, 'r', 'k', 'detached', '{}',
       jsonb_build_object('violations', repeat('x', 3000)), 0.1, now(), now(), now()
     from generate_series(0, ? - 1) n
     join lateral (select name, org from (
       select 'w' || (m * 7) % 60 || 'x-w' || (m * 13) % 60 || 'x-' || m as name, 'org-' || m % ${PUBLISHERS} as org
       from (select n / ${PER_NAME} as m) x) y) a on true`,
    [versions, versions],
  )
  await owner.query('vacuum analyze marketplace.names, marketplace.versions, platform.artifacts')
  // Or whoever reads first writes the pages that filling left.
  await owner.query('checkpoint')
}
