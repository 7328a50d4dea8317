import { expect } from 'chai'
import { openReviewing, type Reviewing } from './working.ts'

const [ME, OTHER] = ['atom-reviewer@atom', 'atom-reviewer-data@atom']
const START = '2026-11-02T10:00:00Z'

describe('producers/marketplace/review/leases', () => {
  let market: Reviewing
  let other: string
  before(async () => {
    market = await openReviewing()
    other = market.tokens.other
  })
  after(() => market.close())
  afterEach(() => market.clock.set(START))

  const act = (id: string, act: string, as?: string, json?: object) => market.post(`/reviews/${id}/${act}`, as, json)
  const codeOf = ({ status, body }: { status: number; body: { code: string } }) => [status, body.code]

  it('are prolonged by a heartbeat, and a tab that slept has lost nothing unless somebody else took the item', async () => {
    const id = await market.inReview('beating')
    await act(id, 'claim')
    market.clock.advance(14 * 60_000)
    expect((await act(id, 'heartbeat')).body.claimed_until).to.equal('2026-11-02T10:29:00.000Z')
    expect(codeOf(await act(id, 'heartbeat', other))).to.deep.equal([409, 'claimed_by_another'])
    market.clock.advance(16 * 60_000)
    expect((await act(id, 'heartbeat')).body.claimed_until).to.equal('2026-11-02T10:45:00.000Z')
    market.clock.advance(15 * 60_000)
    expect((await act(id, 'claim', other)).status).to.equal(200)
    expect(codeOf(await act(id, 'heartbeat'))).to.deep.equal([409, 'claimed_by_another'])
    market.clock.advance(15 * 60_000)
    expect(codeOf(await act(id, 'heartbeat'))).to.deep.equal([409, 'claim_lost'])
  })

  it('are given back, once or twice, and by nobody else', async () => {
    const id = await market.inReview('released')
    await act(id, 'claim')
    expect(codeOf(await act(id, 'release', other))).to.deep.equal([409, 'claimed_by_another'])
    for (const _ of [1, 2])
      expect((await act(id, 'release')).body).to.deep.equal({ id, claimed_by: null, claimed_until: null })
    expect((await act(id, 'claim', other)).body.claimed_by).to.equal(OTHER)
  })

  it('go to one of two who claim at once', async () => {
    const id = await market.inReview('raced')
    const answers = await Promise.all([act(id, 'claim'), act(id, 'claim', other)])
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409])
  })

  it('are handed over to a named reviewer, recorded once however often it is asked', async () => {
    const id = await market.inReview('handed')
    await act(id, 'claim')
    market.clock.advance(60_000)
    const handed = await Promise.all(
      [1, 2, 3].map(() => act(id, 'hand-over', undefined, { to: OTHER, reason: 'Knows k8s.' })),
    )
    for (const { status, body } of handed) {
      expect(status).to.equal(200)
      expect(body).to.deep.equal({ id, claimed_by: OTHER, claimed_until: '2026-11-02T10:16:00.000Z' })
    }
    const records = await market.owner(
      'select author, handed_to, text from marketplace.messages where version_id = ?',
      [id],
    )
    expect(records).to.deep.equal([{ author: ME, handed_to: OTHER, text: 'Knows k8s.' }])
    expect(codeOf(await act(id, 'heartbeat'))).to.deep.equal([409, 'claimed_by_another'])
    expect((await act(id, 'hand-over', other, { to: 'atom-reviewer' })).body.claimed_by).to.equal(ME)
  })

  describe('where the operator names its reviewers', () => {
    const name = (subject: string, roles: string[], issuer = 'https://people.test') =>
      market.owner(
        `insert into platform.members (org, issuer, subject, label, roles, created_at, changed_at, changed_by)
         values ('atom', ?, ?, ?, ?, now(), now(), 'test')`,
        [issuer, subject, subject, roles],
      )
    before(async () => {
      await name('jane', ['reviewer', 'data'])
      await name('jane@corp.example', ['reviewer'])
      await name('frank', ['finance'])
      await name('otto', ['reviewer'], 'https://others.test')
      await name('gone', ['reviewer'], 'https://left.test')
    })
    after(() => market.owner('delete from platform.members'))
    let asked = 0
    const handed = async (to: string) => {
      const id = await market.inReview(`to-${++asked}`)
      await act(id, 'claim')
      const { status, body } = await act(id, 'hand-over', undefined, { to })
      return status === 200 ? body.claimed_by : [status, body.code, body.errors[0]?.pointer, body.errors[0]?.code]
    }
    const REFUSED = [400, 'body_malformed', '/to', 'not_a_reviewer']

    it('go to them, of whichever issuer they are', async () => {
      expect(await handed('jane')).to.equal('jane@atom')
      expect(await handed('jane@corp.example@atom')).to.equal('jane@corp.example@atom')
      expect(await handed('others.test|otto')).to.equal('others.test|otto@atom')
    })

    it('go to nobody else', async () => {
      for (const to of ['nobody', 'frank', 'otto', 'gone', 'people.test|jane', 'jane@corp.example', '@atom'])
        expect(await handed(to), to).to.deep.equal(REFUSED)
    })

    it('go to who is a member by address once they have held something', async () => {
      expect(await handed('atom-reviewer-data')).to.deep.equal(REFUSED)
      await name(`email:${'a'.repeat(64)}`, ['reviewer'])
      const held = await market.inReview('held-before')
      await act(held, 'claim', other)
      expect(await handed('atom-reviewer-data')).to.equal(OTHER)
      expect(await handed('nobody-yet')).to.deep.equal(REFUSED)
    })
  })

  it('are not handed over by who does not hold them, to oneself, or out of the house', async () => {
    const id = await market.inReview('kept')
    expect(codeOf(await act(id, 'hand-over', other, { to: ME }))).to.deep.equal([409, 'claim_lost'])
    await act(id, 'claim')
    expect(codeOf(await act(id, 'hand-over', other, { to: 'atom-third' }))).to.deep.equal([409, 'claimed_by_another'])
    for (const json of [{ to: ME }, { to: 'partner@demo' }, { to: '' }, { to: 'a b' }, {}, { to: OTHER, reason: ' ' }])
      expect(codeOf(await act(id, 'hand-over', undefined, json)), JSON.stringify(json)).to.deep.equal([
        400,
        'body_malformed',
      ])
  })

  it('are of reviewers, on what waits for a decision, of others', async () => {
    const id = await market.inReview('closed')
    await market.decide(id, { decision: 'reject' })
    for (const verb of ['heartbeat', 'release', 'hand-over']) {
      const json = verb === 'hand-over' ? { to: OTHER } : undefined
      expect(codeOf(await act(id, verb, undefined, json)), verb).to.deep.equal([409, 'already_decided'])
      expect(codeOf(await act(id, verb, market.tokens.demo, json)), verb).to.deep.equal([403, 'forbidden'])
      const absent = await act('0192f6a0-0000-7000-8000-000000000001', verb, undefined, json)
      expect(codeOf(absent), verb).to.deep.equal([404, 'not_found'])
    }
  })
})
