import { expect } from 'chai'
import { digestOf, readArtifact, storeArtifact } from '../../platform/artifacts.ts'
import { testClock } from '../support/clock.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { type Organisations, openOrganisations } from '../support/organisations.ts'
import { rejected } from '../support/rejected.ts'

describe('platform/artifacts', () => {
  const clock = testClock('2026-11-02T10:00:00Z')
  const bytes = Buffer.from([0, 255, 1, 10, 13])
  const scope = { org: 'demo', operator: false }
  let database: TestDatabase
  let organisations: Organisations
  before(async () => {
    database = await freshDatabase()
    organisations = await openOrganisations(database, ['demo', 'acme'], clock)
  })
  after(async () => {
    await organisations.close()
    await database.drop()
  })
  const app = () => database.as('atom_app')

  it('gives the exact bytes back under their hash, stored once', async () => {
    const store = () => app().transaction((tx) => storeArtifact(tx, 'demo', bytes, clock()), { scope })
    const digest = await store()
    expect([digest, await store()]).to.deep.equal([digestOf(bytes), digestOf(bytes)])
    const read = await app().transaction((tx) => readArtifact(tx, 'demo', digest), { scope })
    expect(read?.equals(bytes)).to.equal(true)
    expect(await database.as('postgres').query('select 1 from platform.artifacts')).to.have.length(1)
  })

  it('shows nothing to another organisation, or without one, and stores nothing for another', async () => {
    const read = (options: object) => app().transaction((tx) => readArtifact(tx, 'demo', digestOf(bytes)), options)
    expect(await read({ scope: { org: 'acme', operator: false } })).to.equal(null)
    expect(await read({})).to.equal(null)
    const foreign = app().transaction((tx) => storeArtifact(tx, 'acme', bytes, clock()), { scope })
    expect((await rejected(foreign)).code).to.equal('42501')
  })

  it('refuses to hand out bytes that changed since', async () => {
    await database.as('postgres').query("update platform.artifacts set bytes = 'changed'")
    const read = app().transaction((tx) => readArtifact(tx, 'demo', digestOf(bytes)), { scope })
    expect((await rejected(read)).message).to.contain('have changed')
  })
})
