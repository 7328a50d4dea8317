import { sign } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import {
  type Credentials,
  checkout,
  credentialsOf,
  eventually,
  freshHome,
  type Home,
  type RunningSystem,
  request,
  startSystem,
} from '../../reports/running-system.ts'

const SECRET = 'unseen-by-others'

describe('isolation of organisations, in the real process', function () {
  this.timeout(90_000)
  let home: Home
  let system: RunningSystem
  let orgs: Credentials['orgs']
  let id: string
  let reportId: string

  before(async () => {
    home = await freshHome()
    system = await startSystem(home)
    orgs = (await credentialsOf(home)).orgs
    const text = await readFile(`${checkout}docs/examples/requeue-failed-jobs.yaml`, 'utf8')
    const bytes = Buffer.from(text.replaceAll('requeue-failed-jobs', SECRET))
    const signature = sign('sha256', bytes, await readFile(orgs.demo.private_key_path, 'utf8')).toString('base64')
    const body = { content: bytes.toString('utf8'), signature }
    const uploaded = await request('POST', `${home.urls.marketplace}/wpk/upload`, {
      token: orgs.demo.tokens.partner,
      body,
    })
    id = (uploaded.body as { id: string }).id
    const record = { id: SECRET, meter: SECRET, quantity: '1', time: new Date().toISOString() }
    const reported = await request('POST', `${home.urls.billing}/usage/report`, {
      token: orgs.demo.api_key,
      body: record,
    })
    reportId = (reported.body as { report_id: string }).report_id
    await eventually(
      () => request('GET', `${home.urls.portal}/analytics/packages`, { token: orgs.demo.tokens.partner }),
      ({ body }) => JSON.stringify(body).includes(SECRET),
    )
    await eventually(
      () => request('GET', `${home.urls.billing}/usage/receipts/${reportId}`, { token: orgs.demo.tokens.tenant }),
      ({ status }) => status === 200,
    )
  })
  after(async () => {
    await system?.stop()
    await home?.remove()
  })

  it("answers 404, with the words of what does not exist, for another organisation's things by id", async () => {
    const { marketplace, billing } = home.urls
    const absent = '01a2074a-0000-7000-8000-000000000000'
    const paths: [string, string, string][] = [
      [`${marketplace}/wpk/`, id, absent],
      [`${marketplace}/wpk/`, `${id}/content`, `${absent}/content`],
      [`${marketplace}/wpk/`, `${id}/bundle`, `${absent}/bundle`],
      [`${marketplace}/wpk/`, `${id}/verdict`, `${absent}/verdict`],
      [`${billing}/usage/receipts/`, reportId, absent],
      [`${billing}/billing/invoice/`, 'demo', 'nobody'],
    ]
    for (const [base, theirs, nothing] of paths)
      for (const token of [orgs.acme.tokens.partner, orgs.acme.tokens.tenant, orgs.acme.api_key]) {
        const seen = await request('GET', `${base}${theirs}`, { token })
        const missing = await request('GET', `${base}${nothing}`, { token })
        expect(seen.status, `${base}${theirs}`).to.equal(404)
        expect((seen.body as { detail: string }).detail).to.equal((missing.body as { detail: string }).detail)
      }
  })

  it('shows nothing of it in any list', async () => {
    const { marketplace, billing, portal, data } = home.urls
    const lists = [
      `${marketplace}/wpk/list?limit=500`,
      `${marketplace}/wpk/list?publisher=demo`,
      `${marketplace}/wpk/list?status=in_review`,
      `${marketplace}/reviews`,
      `${marketplace}/orgs/keys`,
      `${marketplace}/orgs/api-keys`,
      `${billing}/billing/invoices`,
      `${billing}/billing/plans`,
      `${billing}/billing/ledger`,
      `${billing}/billing/quarantines`,
      `${portal}/analytics/packages`,
      `${portal}/analytics/usage`,
      `${portal}/analytics/revenue`,
      `${data}/data/topics`,
    ]
    for (const url of lists)
      for (const token of [orgs.acme.tokens.partner, orgs.acme.tokens.tenant, orgs.acme.api_key]) {
        const { body } = await request('GET', url, { token })
        const text = JSON.stringify(body)
        expect(text, url).to.not.include(SECRET)
        expect(text, url).to.not.include(id)
        expect(text, url).to.not.include('"tenant":"demo"')
      }
  })

  it('shows a subscription to its two sides only', async () => {
    const url = `${home.urls.billing}/billing/subscriptions`
    for (const org of ['demo', 'acme'] as const) {
      const { body } = await request('GET', url, { token: orgs[org].tokens.tenant })
      const { subscriptions } = body as { subscriptions: { tenant: string; partner: string }[] }
      expect(subscriptions).to.have.length.above(0)
      for (const { tenant, partner } of subscriptions) expect([tenant, partner]).to.include(org)
    }
  })

  it('refuses the calls of other roles with 403, and a visitor with 401', async () => {
    const review = { decision: 'approve', justification: 'mine' }
    const { marketplace, billing, data } = home.urls
    const calls: [string, string, object?][] = [
      ['POST', `${marketplace}/wpk/review/${id}`, review],
      ['POST', `${marketplace}/reviews/${id}/claim`],
      ['POST', `${marketplace}/reviews/${id}/hand-over`, { to: 'me' }],
      ['GET', `${marketplace}/reviews/${id}`],
      ['GET', `${marketplace}/reviews/overrides`],
      ['POST', `${marketplace}/wpk/${id}/block`, { reason: 'mine' }],
      ['POST', `${billing}/billing/quarantines/${id}`, { decision: 'release', justification: 'mine' }],
      ['GET', `${marketplace}/reviews`],
      ['POST', `${billing}/billing/invoices/issue`, { period: '2020-01' }],
      ['GET', `${data}/data/topics`],
    ]
    for (const [method, url, body] of calls) {
      const more = body ? { body } : {}
      expect((await request(method, url, { token: orgs.acme.tokens.partner, ...more })).status, url).to.equal(403)
      expect((await request(method, url, { token: orgs.acme.api_key, ...more })).status, url).to.equal(403)
      expect((await request(method, url, more)).status, url).to.equal(401)
    }
  })

  it('gives the database role of the HTTP services no row without an organisation', async () => {
    const client = new pg.Client({ host: await socketFolder(home), user: 'atom_app', database: 'atom' })
    await client.connect()
    try {
      const { rows: tables } = await client.query<{ name: string }>(
        `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and n.nspname in ('platform', 'marketplace', 'governance', 'metering', 'read')
           and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')`,
      )
      expect(tables).to.have.length.above(12)
      for (const { name } of tables) {
        const { rows } = await client.query(`select count(*)::int as n from ${name}`)
        expect(rows[0].n, name).to.equal(0)
      }
      await client.query("begin; select set_config('app.org', 'acme', true)")
      const { rows } = await client.query('select count(*)::int as n from metering.rollups')
      expect(rows[0].n).to.be.above(0)
      await client.query('rollback')
    } finally {
      await client.end()
    }
  })
})

/** Where the embedded server of a home listens: the postmaster writes it into its pid file. */
async function socketFolder(home: Home): Promise<string> {
  const inside = join(home.folder, 'postgres')
  const names = await readdir(home.folder)
  const data = names.includes('postgres')
    ? inside
    : join('/var/tmp', `atom-data-${(await readFile(join(home.folder, 'postgres.id'), 'utf8')).trim()}`)
  const folder = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[4] ?? ''
  expect(folder).to.include(tmpdir())
  return folder
}
