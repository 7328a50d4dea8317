import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import { type EmbeddedServer, startEmbeddedPostgres } from '../../platform/embedded-postgres/server.ts'
import { silentLog } from '../../platform/log.ts'
import { freshHome, type Home, request, startSystem } from '../../reports/running-system.ts'

describe('on a PostgreSQL of its own, as DATABASE_URL names it', function () {
  this.timeout(90_000)
  let home: Home
  let server: EmbeddedServer

  before(async () => {
    home = await freshHome()
    server = await startEmbeddedPostgres(join(home.folder, 'managed'), silentLog)
    const client = new pg.Client({ host: server.socketFolder, user: 'postgres', database: 'postgres' })
    await client.connect()
    await client.query('create role service login createrole')
    await client.query('create database market_test owner service')
    await client.end()
  })
  after(async () => {
    await server?.stop()
    await home?.remove()
  })

  it('runs whole with a login that is no superuser, and row security holds', async () => {
    const url = `postgresql://service@${encodeURIComponent(server.socketFolder)}/market_test`
    const system = await startSystem(home, { DATABASE_URL: url })
    try {
      expect(system.output()).to.include('PostgreSQL of DATABASE_URL')
      const { body } = await request('GET', `${home.urls.billing}/health`)
      const { policies } = body as { policies: { id: string; status: string; detail: string }[] }
      const isolation = policies.find(({ id }) => id === 'P-5')
      expect(isolation).to.have.property('status', 'compliant')
      expect(isolation?.detail).to.match(/atom_app sees 0 rows of \d+/)
      expect(await request('GET', `${home.urls.billing}/billing/invoice/demo`)).to.have.nested.property(
        'body.lines[0].quantity',
      )
    } finally {
      await system.stop()
    }
  })
})
