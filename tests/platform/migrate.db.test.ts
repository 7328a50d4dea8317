import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { MigrationChanged, migrate } from '../../platform/migrate.ts'
import { emptyDatabase, migrationsFolder, type TestDatabase, testName } from '../support/database.ts'
import { rejected } from '../support/rejected.ts'

describe('platform/migrate', () => {
  let database: TestDatabase
  let folder: string
  before(async () => {
    database = await emptyDatabase()
  })
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atom-test-migrations-'))
  })
  afterEach(() => rm(folder, { recursive: true }))
  after(() => database.drop())

  it('applies files in name order, once', async () => {
    await writeFile(join(folder, '002_second.sql'), 'insert into public.places values (2)')
    await writeFile(join(folder, '001_first.sql'), 'create table public.places (n int)')
    expect(await migrate(database.server, folder)).to.deep.equal({
      applied: ['001_first.sql', '002_second.sql'],
      total: 2,
    })
    expect(await migrate(database.server, folder)).to.deep.equal({ applied: [], total: 2 })
    expect(await database.as('postgres').query('select n from public.places')).to.deep.equal([{ n: 2 }])
  })

  it('refuses a file that changed after it was applied', async () => {
    await writeFile(join(folder, '010_once.sql'), 'create table public.once (n int)')
    await migrate(database.server, folder)
    await writeFile(join(folder, '010_once.sql'), 'create table public.twice (n int)')
    expect(await rejected(migrate(database.server, folder))).to.be.instanceOf(MigrationChanged)
  })

  it('leaves nothing of a file that failed half-way, and goes on from there', async () => {
    await writeFile(join(folder, '020_half.sql'), 'create table public.half (n int); select 1 / 0')
    await rejected(migrate(database.server, folder))
    await writeFile(join(folder, '020_half.sql'), 'create table public.half (n int)')
    expect((await migrate(database.server, folder)).applied).to.deep.equal(['020_half.sql'])
  })

  it('applies each file once when several processes start together', async () => {
    const other = await emptyDatabase()
    try {
      const runs = await Promise.all([1, 2, 3].map(() => migrate(other.server, migrationsFolder)))
      expect(runs.map(({ applied }) => applied.length).sort()).to.deep.equal([0, 0, runs[0]?.total])
    } finally {
      await other.drop()
    }
  })

  it('lets tests touch databases only whose name says test', () => {
    expect(testName('atom_test_7')).to.equal('atom_test_7')
    for (const name of ['atom', 'postgres', 'atom_prod', 'test"; drop'])
      expect(() => testName(name)).to.throw('refused')
  })
})
