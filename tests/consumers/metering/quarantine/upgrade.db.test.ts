import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { migrate } from '../../../../platform/migrate.ts'
import { emptyDatabase, migrationsFolder, type TestDatabase } from '../../../support/database.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

describe('consumers/metering/quarantine: a database from before', () => {
  let database: TestDatabase
  let before_: string
  before(async () => {
    database = await emptyDatabase()
    before_ = await mkdtemp(join(tmpdir(), 'atom-test-migrations-'))
    for (const name of await readdir(migrationsFolder))
      if (name < '027' && name !== '011_withdrawals.sql') await cp(join(migrationsFolder, name), join(before_, name))
  })
  after(async () => {
    await database.drop()
    await rm(before_, { recursive: true })
  })

  it('knows what was published, and takes what was counted for usage without a version', async () => {
    await migrate(database.server, before_)
    const owner = database.as('postgres')
    await owner.query("insert into platform.orgs values ('demo', 'demo', 'member', now())")
    await owner.query("insert into marketplace.names values ('one', 'demo', now())")
    await owner.query("insert into platform.artifacts (org, digest, bytes, stored_at) values ('demo', ?, '', now())", [
      DIGEST,
    ])
    for (const [version, status] of [
      ['1.0.0', 'published'],
      ['1.1.0', 'deprecated'],
      ['1.2.0', 'in_review'],
    ])
      await owner.query(
        `insert into marketplace.versions (org, id, name, version, digest, media_type, description, tags, safety_mode,
           status, reason, key_id, signature_form, signature, submitted_at, due_at)
         values ('demo', gen_random_uuid(), 'one', ?, ?, '', '', '{}', 'manual', ?, '', '', 'detached', '{}', now(), now())`,
        [version, DIGEST, status],
      )
    for (const hour of ['2026-10-31T23:00:00Z', '2026-11-01T00:00:00Z', '2026-11-01T01:00:00Z'])
      await owner.query(
        `insert into metering.rollups (tenant, hour, meter, package, dimensions, dimensions_key, quantity, records)
         values ('acme', ?, 'runs', 'one', '{}', '', 1, 1)`,
        [hour],
      )
    await migrate(database.server, migrationsFolder)
    expect(
      await owner.query('select partner, package, version, billable from metering.package_versions order by version'),
    ).to.deep.equal([
      { partner: 'demo', package: 'one', version: '1.0.0', billable: true },
      { partner: 'demo', package: 'one', version: '1.1.0', billable: true },
    ])
    expect(await owner.query('select * from metering.used_versions order by period')).to.deep.equal([
      { tenant: 'acme', package: 'one', version: '', period: '2026-10' },
      { tenant: 'acme', package: 'one', version: '', period: '2026-11' },
    ])
    expect(await owner.query('select distinct version from metering.rollups')).to.deep.equal([{ version: '' }])
    const forced = await owner.query<{ n: number }>(
      `select count(*)::int as n from pg_class where relforcerowsecurity and relrowsecurity
         and oid in ('marketplace.versions'::regclass, 'metering.rollups'::regclass)`,
    )
    expect(forced[0]?.n).to.equal(2)
  })
})
