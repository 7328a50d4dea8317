import { expect } from 'chai'
import { createAuthenticate } from '../../../../platform/auth/authenticate.ts'
import { openEmbeddedBus } from '../../../../platform/bus/embedded.ts'
import { isHeldBack, publishWaiting } from '../../../../producers/marketplace/record/publish-waiting.ts'
import { reportRoute } from '../../../../producers/usage/report.ts'
import { eventually } from '../../../support/eventually.ts'
import { packageBytes, uploadOf } from '../../../support/packages.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { startService, type TestService } from '../../../support/service.ts'
import { type Marketplace, openMarketplace, type Problem, verdictOf } from '../fixture.ts'

type Org = Problem & { id: string; status: string; suspended: { at: string; reason: string; by?: string } | null }

/** A process follows a suspension after so long. */
const FOLLOWS_MS = 2_000

describe('producers/marketplace/orgs: suspending an organisation', () => {
  let market: Marketplace
  let usage: TestService
  before(async () => {
    market = await openMarketplace()
    await market.judging((_name, digest) => verdictOf(digest))
    const app = market.database.as('atom_app')
    const { log } = recordingLog()
    const bus = openEmbeddedBus({ server: market.database.server, log, appender: app, dbFor: () => app })
    const route = reportRoute({ db: app, bus, now: market.clock })
    usage = await startService([route], market.organisations.authenticate)
  })
  after(async () => {
    await usage.close()
    await market.close()
  })
  afterEach(async () => {
    await act('reactivate')
    market.clock.advance(FOLLOWS_MS)
  })

  const owner = <R>(sql: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(sql, bindings)
  const act = (
    what: 'suspend' | 'reactivate',
    reason = 'Its contract ended.',
    org = 'demo',
    as = market.tokens.admin,
  ) => market.call<Org>('POST', `/orgs/${org}/${what}`, { as, json: { reason } })
  const suspend = async () => {
    expect((await act('suspend')).status).to.equal(200)
    market.clock.advance(FOLLOWS_MS)
  }
  const upload = (name: string) =>
    market.call<Problem & { id: string }>('POST', '/wpk/upload', {
      as: market.tokens.demo,
      json: uploadOf(packageBytes({ name, mode: 'manual' }), market.keys.demo),
    })
  const report = (as: string) =>
    usage.call<Problem>('POST', '/usage/report', {
      as,
      json: { id: 'r1', meter: 'runs', quantity: '1', time: market.clock().toISOString() },
    })
  const listed = async (as: string) =>
    (await market.call<{ wpks: { name: string }[] }>('GET', '/wpk/list?publisher=demo', { as })).body.wpks.length
  const events = (org: string) =>
    owner<{ type: string; reason: string; by: string }>(
      `select headers->>'ce_type' as type, convert_from(value, 'utf8')::jsonb->>'reason' as reason,
         convert_from(value, 'utf8')::jsonb->>'by' as by
       from platform.event_log where topic = 'atom.orgs' and key = ? order by xid, pos`,
      [org],
    )

  async function published(name: string): Promise<string> {
    const { id } = (await upload(name)).body
    await market.statusBecomes(id, 'in_review')
    await approve(id)
    await market.statusBecomes(id, 'published')
    return id
  }
  const approve = (id: string) =>
    market.call<Problem>('POST', `/wpk/review/${id}`, {
      as: market.tokens.reviewer,
      json: { decision: 'approve', justification: 'Read it all.' },
    })

  it('lets its tokens and keys read and nothing else, and says why', async () => {
    const key = await market.organisations.apiKey('demo', 'publish', 'report', 'read')
    expect((await report(key)).status).to.equal(202)
    await suspend()
    const calls: [string, string, string][] = [
      ['POST', '/wpk/upload', market.tokens.demo],
      ['POST', '/wpk/upload', key],
      ['POST', '/orgs/keys', market.tokens.demo],
      ['DELETE', '/orgs/keys/x', market.tokens.demo],
      ['POST', '/orgs/identities', market.tokens.demo],
      ['POST', '/orgs/api-keys', market.tokens.demoTenant],
      ['DELETE', '/orgs/api-keys/x', market.tokens.demo],
      ['POST', '/wpk/x/yank', market.tokens.demo],
    ]
    for (const [method, path, as] of calls) {
      const { status, body } = await market.call<Problem>(method, path, { as })
      expect([status, body.code], `${method} ${path}`).to.deep.equal([403, 'org_suspended'])
      expect(body.detail).to.contain('Its contract ended.').and.not.contain('atom')
    }
    for (const as of [key, market.tokens.demo])
      expect((await market.call('GET', '/wpk/list', { as })).status).to.equal(200)
    expect((await market.call('GET', '/orgs/api-keys', { as: market.tokens.demo })).status).to.equal(200)
    await act('reactivate')
    market.clock.advance(FOLLOWS_MS)
    expect((await upload('after-all')).status).to.equal(202)
  })

  it('refuses its reports whole and stores nothing of them, while others go on', async () => {
    await suspend()
    const stored = () => owner<{ n: string }>("select count(*) as n from platform.event_log where topic = 'atom.usage'")
    const [before] = await stored()
    for (const as of [market.tokens.demoTenant, await market.organisations.apiKey('demo', 'report')])
      expect([(await report(as)).status, (await report(as)).body.code]).to.deep.equal([403, 'org_suspended'])
    expect(await stored()).to.deep.equal([before])
    expect((await report(await market.organisations.apiKey('acme', 'report'))).status).to.equal(202)
  })

  it('takes its packages from the lists of others, and marks them for those who have them', async () => {
    const id = await published('still-used')
    expect(await listed(market.tokens.acme)).to.equal(1)
    await suspend()
    const { acme, demo, admin } = market.tokens
    expect(await listed(acme)).to.equal(0)
    expect([(await listed(demo)) > 0, (await listed(admin)) > 0]).to.deep.equal([true, true])
    const seen = await market.call('GET', `/wpk/${id}`, { as: acme })
    expect([seen.status, seen.body.publisher_suspended, seen.body.status]).to.deep.equal([200, true, 'published'])
    expect((await market.call('GET', `/wpk/${id}/content`, { as: acme })).status).to.equal(200)
    const byName = async (as: string) =>
      (await market.call<Problem & { latest: { id: string } | null }>('GET', '/wpk/by-name/still-used', { as })).body
    expect((await byName(acme)).code).to.equal('no_version_fits')
    for (const as of [demo, admin]) expect((await byName(as)).latest?.id).to.equal(id)
    await act('reactivate')
    expect(await listed(acme)).to.equal(1)
    expect((await byName(acme)).latest?.id).to.equal(id)
    expect((await market.call('GET', `/wpk/${id}`, { as: acme })).body.publisher_suspended).to.equal(false)
  })

  it('publishes nothing of it: what waits stays in the queue', async () => {
    await published('step-by-step')
    const json = uploadOf(packageBytes({ name: 'step-by-step', mode: 'manual', version: '1.0.1' }), market.keys.demo)
    const { body } = await market.call<{ id: string }>('POST', '/wpk/upload', { as: market.tokens.demo, json })
    await market.statusBecomes(body.id, 'published')
    const { id: waiting } = (await upload('waits-for-it')).body
    await market.statusBecomes(waiting, 'in_review')
    await suspend()
    expect((await approve(waiting)).body.code).to.equal('publisher_suspended')
    await act('reactivate')
    expect((await approve(waiting)).status).to.equal(200)
  })

  it('keeps what was approved just before it from becoming public until it ends', async () => {
    const { id } = (await upload('just-before')).body
    await market.statusBecomes(id, 'in_review')
    await suspend()
    const all = market.database.as('atom_marketplace')
    await owner("update marketplace.versions set status = 'approved' where id = ?", [id])
    expect(await all.transaction((tx) => isHeldBack(tx, { org: 'demo', id }, market.clock()))).to.equal(true)
    const publish = () => publishWaiting({ db: all, now: market.clock, wake: () => {} })
    expect(await publish()).to.equal(0)
    const seen = (await market.call('GET', `/wpk/${id}`, { as: market.tokens.demo })).body
    expect(seen).to.include({ status: 'approved', waits_for: 'reactivation' })
    await act('reactivate')
    expect([await publish(), await publish()]).to.deep.equal([1, 0])
    await market.statusBecomes(id, 'published')
    expect(await all.transaction((tx) => isHeldBack(tx, { org: 'demo', id }, market.clock()))).to.equal(false)
  })

  it('is told and recorded once, however often and by how many at once it is asked', async () => {
    await act('reactivate', 'x', 'acme')
    const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => act('suspend', `Reason ${n}.`, 'acme')))
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200])
    expect(new Set(answers.map(({ body }) => body.suspended?.reason)).size).to.equal(1)
    await Promise.all([act('reactivate', 'Renewed.', 'acme'), act('reactivate', 'Renewed.', 'acme')])
    const reason = answers[0]?.body.suspended?.reason
    expect(await events('acme')).to.deep.equal([
      { type: 'org.suspended', reason, by: 'atom-admin@atom' },
      { type: 'org.reactivated', reason: 'Renewed.', by: 'atom-admin@atom' },
    ])
    await market.keepRecord()
    const entries = await owner<{ kind: string; reason: string }>(
      `select entry::jsonb->>'kind' as kind, entry::jsonb#>>'{detail,reason}' as reason from marketplace.audit_log
       where org = 'acme' and entry::jsonb->>'kind' like 'org_%' order by seq`,
    )
    expect(entries).to.deep.equal([
      { kind: 'org_suspended', reason },
      { kind: 'org_reactivated', reason: 'Renewed.' },
    ])
    market.clock.advance(FOLLOWS_MS)
  })

  it("is the operator's admin's to do, to anybody but the operator", async () => {
    expect((await act('suspend', 'x', 'demo', market.tokens.reviewer)).body.code).to.equal('forbidden')
    expect((await act('suspend', 'x', 'demo', market.tokens.acme)).body.code).to.equal('forbidden')
    expect((await act('suspend', 'x', 'nobody')).status).to.equal(404)
    expect((await act('suspend', 'x', 'atom')).body.code).to.equal('operator_org')
    for (const reason of ['', ' ']) expect((await act('suspend', reason)).body.code).to.equal('body_malformed')
    expect((await market.call<Org>('GET', '/orgs/demo', { as: market.tokens.demo })).body.status).to.equal('active')
  })

  it('tells the organisation why, the operator also who, and strangers nothing', async () => {
    await suspend()
    const show = (as: string) => market.call<Org>('GET', '/orgs/demo', { as })
    expect((await show(market.tokens.demo)).body.suspended).to.have.keys(['at', 'reason'])
    expect((await show(market.tokens.admin)).body.suspended).to.include({ by: 'atom-admin@atom' })
    expect((await show(market.tokens.acme)).status).to.equal(404)
    const scope = { org: 'acme', operator: false }
    const changed = market.database
      .as('atom_app')
      .transaction((tx) => tx.raw("update platform.orgs set suspended_at = null where org = 'demo'"), { scope })
    expect((await changed).rowCount).to.equal(0)
    const own = market.database
      .as('atom_app')
      .transaction((tx) => tx.raw("update platform.orgs set suspended_at = null where org = 'demo'"), {
        scope: { org: 'demo', operator: false },
      })
      .catch((error: Error) => error.message)
    expect(await own).to.contain('row-level security')
  })

  it('is followed by another process too, and by none that cannot reach the database before it can again', async () => {
    const app = market.database.as('atom_app')
    let reachable = true
    const db: typeof app = {
      ...app,
      transaction: (work, options) =>
        reachable ? app.transaction(work, options) : Promise.reject(new Error('unreachable')),
    }
    const tokens = {
      verify: async () => ({ org: 'demo', subject: 'a', roles: [], scopes: [], kind: 'token' as const }),
    }
    const there = createAuthenticate({ db, tokens, visitor: null, now: market.clock })
    const suspended = async () => (await there('Bearer x')).suspended
    expect(await suspended()).to.equal(undefined)
    reachable = false
    await suspend()
    expect(await suspended(), 'as it was known').to.equal(undefined)
    reachable = true
    expect(await suspended()).to.equal('Its contract ended.')
  })

  it('is followed by every process within 5 s, also where its state was just read', async () => {
    expect((await market.call('GET', '/orgs', { as: market.tokens.demo })).status).to.equal(200)
    await act('suspend')
    await eventually('the process follows', async () => {
      market.clock.advance(500)
      return (await upload('too-late')).status === 403
    })
  })
})
