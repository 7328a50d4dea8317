import { expect } from 'chai'
import { packageBytes, uploadOf } from '../../../support/packages.ts'
import { openReviewing, type Reviewing } from './working.ts'

type Entry = { id: string; kind: string; by: string; text: string; version: string; decision?: string; at: string }
type Thread = { thread_id: string; entries: Entry[]; next: string | null }

describe('producers/marketplace/review/thread', () => {
  let market: Reviewing
  before(async () => {
    market = await openReviewing()
  })
  after(() => market.close())

  const thread = async (id: string, as = market.tokens.demo, query = '') =>
    (await market.call<Thread>('GET', `/reviews/${id}/thread${query}`, { as })).body
  const write = (id: string, text: string, as = market.tokens.demo) =>
    market.post<{ id: string; by: string; text: string }>(`/wpk/${id}/messages`, as, { text })
  const tick = () => market.clock.advance(1_000)

  it('goes from requested changes over the new version to its publication, in order and once', async () => {
    const first = await market.inReview('answered')
    tick()
    await write(first, 'Is it the command?')
    tick()
    await write(first, 'Yes, quote the name.', market.tokens.reviewer)
    tick()
    await market.decide(first, { decision: 'request_changes', justification: 'Quote the name.' })
    tick()
    const bytes = packageBytes({ name: 'answered', version: '1.0.1', mode: 'manual' })
    const send = () =>
      market.call<{ id: string; thread_id: string; resubmission_of: string }>('POST', '/wpk/upload', {
        as: market.tokens.demo,
        json: uploadOf(bytes, market.keys.demo),
      })
    const [sent, ...again] = await Promise.all([send(), send(), send()])
    for (const { body } of [...again, await send()]) expect(body.id).to.equal(sent?.body.id)
    const second = sent?.body.id as string
    expect(sent?.body).to.include({ thread_id: first, resubmission_of: first })
    expect(await market.statusBecomes(first, 'rejected')).to.include({
      reason: 'Superseded by 1.0.1, which answers the requested changes.',
    })
    await market.statusBecomes(second, 'in_review')
    expect((await market.queue()).reviews.find(({ id }) => id === second)).to.include({ resubmission_of: first })
    tick()
    await market.decide(second, { decision: 'approve' })
    await market.statusBecomes(second, 'published')
    for (const id of [first, second]) {
      const { thread_id, entries } = await thread(id)
      expect(thread_id).to.equal(first)
      expect(entries.map(({ kind, version, decision, by }) => [kind, version, decision ?? '', by])).to.deep.equal([
        ['version', '1.0.0', '', 'demo'],
        ['message', '1.0.0', '', 'demo-partner@demo'],
        ['message', '1.0.0', '', 'atom-reviewer@atom'],
        ['decision', '1.0.0', 'request_changes', 'atom-reviewer@atom'],
        ['version', '1.0.1', '', 'demo'],
        ['decision', '1.0.0', 'supersede', 'demo-partner@demo'],
        ['decision', '1.0.1', 'approve', 'atom-reviewer@atom'],
      ])
    }
    expect(await market.told('answered')).to.have.members([
      ...['wpk.submitted', 'wpk.verdict', 'wpk.reviewed'],
      ...['wpk.submitted', 'wpk.rejected', 'wpk.verdict', 'wpk.reviewed', 'wpk.published'],
    ])
  })

  it('goes on over several rounds, and a version without a request begins its own', async () => {
    const ids: string[] = []
    for (const version of ['1.0.0', '1.0.1', '1.0.2']) {
      tick()
      const id = await market.inReview('rounds', { version })
      ids.push(id)
      await market.decide(id, { decision: 'request_changes' })
    }
    expect((await thread(ids[2] as string)).entries.filter(({ kind }) => kind === 'version')).to.have.length(3)
    tick()
    const last = await market.inReview('rounds', { version: '1.0.3' })
    await market.decide(last, { decision: 'reject' })
    const { thread_id } = await thread(await market.inReview('rounds', { version: '2.0.0' }))
    expect(thread_id).to.not.equal(ids[0])
  })

  it('pages without losing or repeating an entry', async () => {
    const id = await market.inReview('paged')
    for (const text of ['a', 'b', 'c', 'd']) await write(id, text)
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: Thread = await thread(id, market.tokens.demo, `?limit=2${next ? `&cursor=${next}` : ''}`)
      seen.push(...page.entries.map(({ text }) => text))
      next = page.next
    }
    expect(seen).to.deep.equal(['Submitted.', 'a', 'b', 'c', 'd'])
  })

  it('keeps a message once that is sent again, also at once', async () => {
    const id = await market.inReview('repeated')
    const answers = await Promise.all([1, 2, 3].map(() => write(id, 'Hello?')))
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 200, 201])
    expect(new Set(answers.map(({ body }) => body.id)).size).to.equal(1)
    await write(id, 'Yes?', market.tokens.reviewer)
    expect((await write(id, 'Hello?')).status, 'said once more after an answer').to.equal(201)
  })

  it('is of the reviewers and the publisher, who does not see to whom a review was handed', async () => {
    const id = await market.published('public')
    const hidden = await market.inReview('private')
    const { acme, demoTenant, reviewer, other } = market.tokens
    for (const one of [id, hidden]) {
      for (const asked of [
        await market.call('GET', `/reviews/${one}/thread`, { as: acme }),
        await write(one, 'Let me in.', acme),
      ])
        expect([asked.status, (asked.body as { code: string }).code]).to.deep.equal([404, 'not_found'])
      expect((await write(one, 'Me too.', demoTenant)).status).to.equal(403)
    }
    await market.post(`/reviews/${hidden}/claim`)
    await market.post(`/reviews/${hidden}/hand-over`, reviewer, { to: 'atom-reviewer-data' })
    expect((await thread(hidden)).entries.map(({ kind }) => kind)).to.deep.equal(['version'])
    expect((await thread(hidden, other)).entries.map(({ kind }) => kind)).to.deep.equal(['version', 'hand_over'])
    for (const json of [{}, { text: '' }, { text: ' ' }, { text: 'a\0' }, { text: 'a', more: 1 }])
      expect((await market.post(`/wpk/${hidden}/messages`, reviewer, json)).status).to.equal(400)
  })

  it('ends when a version has 200 messages', async () => {
    const id = await market.inReview('talkative')
    await market.owner(
      `insert into marketplace.messages (org, id, version_id, kind, author, author_kind, text, at)
       select 'demo', gen_random_uuid(), ?::uuid, 'message', 'x@demo', 'publisher', 'n' || n, now() from generate_series(1, 200) n`,
      [id],
    )
    const { status, body } = await write(id, 'One more.')
    expect([status, body.code]).to.deep.equal([409, 'thread_full'])
  })

  it('lets the database role of a publisher close nothing but what it answers for', async () => {
    const id = await market.published('closed')
    const waiting = await market.inReview('waiting')
    const app = market.database.as('atom_app')
    for (const one of [id, waiting]) {
      const tried = app.transaction(
        (tx) => tx.raw("update marketplace.versions set status = 'rejected' where id = ?", [one]),
        { scope: { org: 'demo', operator: false } },
      )
      await tried.catch(() => undefined)
    }
    expect(await market.statusBecomes(id, 'published')).to.include({ id })
    expect(await market.statusBecomes(waiting, 'in_review')).to.include({ id: waiting })
  })
})
