import { expect } from 'chai'
import { recordSha256 } from '../../../producers/marketplace/version-row.ts'
import { type Marketplace, openMarketplace, type Problem, verdictOf } from './fixture.ts'

type Withdrawn = Problem & { id: string; status: string; reason: string }
type Detail = { id: string; digest: string; status: string; reason: string; next_step: string; published_at: string }

describe('producers/marketplace: taking versions back', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    await market.judging((_name, digest) => verdictOf(digest))
  })
  after(() => market.close())

  const owner = <R>(sql: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(sql, bindings)
  const act = (id: string, name: string, as = market.tokens.demo, reason = 'Loses jobs.') =>
    market.call<Withdrawn>('POST', `/wpk/${id}/${name}`, { as, json: { reason } })
  const block = (id: string) => act(id, 'block', market.tokens.reviewer, 'Sends secrets.')
  const show = async (id: string, as = market.tokens.demo) =>
    (await market.call<Detail>('GET', `/wpk/${id}`, { as })).body
  const listed = async (name: string, as: string) =>
    (await market.call<{ wpks: object[] }>('GET', `/wpk/list?q=${name}`, { as })).body.wpks.length === 1
  const read = async (id: string, as: string) =>
    Promise.all(
      ['', '/content', '/bundle'].map(async (path) => (await market.call('GET', `/wpk/${id}${path}`, { as })).status),
    )
  const told = (key: string) =>
    owner<{ type: string; reason: string; by: string }>(
      `select headers->>'ce_type' as type, convert_from(value, 'utf8')::jsonb->>'reason' as reason,
         convert_from(value, 'utf8')::jsonb->>'by' as by
       from platform.event_log where key = ? and headers->>'ce_type' in ('wpk.deprecated', 'wpk.yanked', 'wpk.blocked')
       order by xid, pos`,
      [key],
    )

  async function published(name: string): Promise<string> {
    const { id } = await market.upload({ name, mode: 'manual' })
    await market.statusBecomes(id, 'in_review')
    const json = { decision: 'approve', justification: 'Read it all.' }
    await market.call('POST', `/wpk/review/${id}`, { as: market.tokens.reviewer, json })
    await market.statusBecomes(id, 'published')
    return id
  }

  it('goes from deprecated to yanked to blocked, each told once with its reason, and recorded', async () => {
    const id = await published('all-the-way')
    const before = await show(id)
    expect((await act(id, 'deprecate', undefined, 'Use the next.')).body).to.deep.equal({
      id,
      status: 'deprecated',
      reason: 'Use the next.',
    })
    expect((await act(id, 'yank')).body.status).to.equal('yanked')
    expect((await block(id)).body.status).to.equal('blocked')
    expect(await show(id)).to.include({
      status: 'blocked',
      reason: 'Sends secrets.',
      next_step: 'It may not be used; contact the marketplace.',
      published_at: before.published_at,
    })
    expect(await told('all-the-way')).to.deep.equal([
      { type: 'wpk.deprecated', reason: 'Use the next.', by: 'demo-partner@demo' },
      { type: 'wpk.yanked', reason: 'Loses jobs.', by: 'demo-partner@demo' },
      { type: 'wpk.blocked', reason: 'Sends secrets.', by: 'atom-reviewer@atom' },
    ])
    const decisions = await owner<Record<string, string>>(
      'select decision, approver, before_sha256, after_sha256 from marketplace.decisions where version_id = ? order by id',
      [id],
    )
    expect(decisions.map(({ decision }) => decision)).to.deep.equal(['approve', 'deprecate', 'yank', 'block'])
    const { digest, reason } = before
    expect(decisions[1]).to.include({
      approver: 'demo-partner@demo',
      before_sha256: recordSha256({ id, digest, status: 'published', reason }),
      after_sha256: recordSha256({ id, digest, status: 'deprecated', reason: 'Use the next.' }),
    })
  })

  it('hides a yanked version from lists but not from who knows its id, and a blocked one from everybody else', async () => {
    const id = await published('seen-by')
    const { demo, acme, admin } = market.tokens
    await act(id, 'deprecate')
    expect([await listed('seen-by', acme), await read(id, acme)]).to.deep.equal([true, [200, 200, 200]])
    await act(id, 'yank')
    expect([await listed('seen-by', acme), await read(id, acme)]).to.deep.equal([false, [200, 200, 200]])
    expect([await listed('seen-by', demo), await listed('seen-by', admin)]).to.deep.equal([true, true])
    await block(id)
    expect([await listed('seen-by', acme), await read(id, acme)]).to.deep.equal([false, [404, 404, 404]])
    for (const as of [demo, admin])
      expect([await listed('seen-by', as), await read(id, as)]).to.deep.equal([true, [200, 200, 200]])
  })

  it('refuses moves that the state machine does not know, and tells nothing', async () => {
    const { id: waiting } = await market.upload({ name: 'not-yet', mode: 'manual' })
    await market.statusBecomes(waiting, 'in_review')
    for (const name of ['deprecate', 'yank']) expect((await act(waiting, name)).body.code).to.equal('move_refused')
    expect((await block(waiting)).status).to.equal(409)
    const id = await published('one-way')
    await act(id, 'yank')
    expect((await act(id, 'deprecate')).status).to.equal(409)
    await block(id)
    expect((await act(id, 'yank')).status).to.equal(409)
    expect((await told('not-yet')).length).to.equal(0)
    expect((await told('one-way')).map(({ type }) => type)).to.deep.equal(['wpk.yanked', 'wpk.blocked'])
  })

  it('happens once, however often and by how many at once it is asked', async () => {
    const id = await published('asked-twice')
    const answers = await Promise.all(Array.from({ length: 6 }, (_, n) => act(id, 'yank', undefined, `Reason ${n}.`)))
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 200, 200])
    expect(new Set(answers.map(({ body }) => body.reason)).size).to.equal(1)
    expect((await act(id, 'yank')).body.reason).to.equal(answers[0]?.body.reason)
    expect((await told('asked-twice')).length).to.equal(1)
  })

  it("is the publisher's to deprecate and yank, and the operator's to block", async () => {
    const id = await published('whose')
    expect((await act(id, 'yank', market.tokens.acme)).status).to.equal(404)
    expect((await act(id, 'block', market.tokens.demo)).status).to.equal(403)
    expect((await act(id, 'yank', market.tokens.demoTenant)).status).to.equal(403)
    expect((await act(id, 'yank', market.tokens.reviewer)).status).to.equal(403)
    expect((await act('0192f6a0-0000-7000-8000-000000000001', 'yank')).status).to.equal(404)
    expect((await show(id)).status).to.equal('published')
    expect((await act(id, 'block', market.tokens.admin)).status).to.equal(200)
  })

  it('sends the next version to a person once what a person approved is blocked', async () => {
    const id = await published('approved-once')
    const next = async (version: string) => (await market.upload({ name: 'approved-once', mode: 'manual', version })).id
    await market.statusBecomes(await next('1.0.1'), 'published')
    await block(id)
    await market.statusBecomes(await next('1.0.2'), 'in_review')
  })

  it('needs a reason', async () => {
    const id = await published('why')
    for (const json of [{}, { reason: '' }, { reason: ' ' }, { reason: 'x', more: 1 }]) {
      const { status, body } = await market.call<Problem>('POST', `/wpk/${id}/yank`, { as: market.tokens.demo, json })
      expect([status, body.code]).to.deep.equal([400, 'body_malformed'])
    }
  })

  it('leaves nothing behind when the database role of callers is asked for more', async () => {
    const id = await published('by-hand')
    const app = market.database.as('atom_app')
    const change = (org: string, status: string) =>
      app.transaction(
        async (tx) =>
          (await tx.raw('update marketplace.versions set status = ? where id = ?', [status, id])).rowCount as number,
        { scope: { org, operator: false } },
      )
    expect(await change('acme', 'yanked')).to.equal(0)
    const refused = await change('demo', 'blocked').catch((error: Error) => error.message)
    expect(refused).to.contain('row-level security')
    expect((await show(id)).status).to.equal('published')
  })
})
