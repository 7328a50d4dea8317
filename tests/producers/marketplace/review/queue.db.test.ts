import { expect } from 'chai'
import fc from 'fast-check'
import { uuidv7 } from 'uuidv7'
import { placeInQueue } from '../../../../producers/marketplace/review/queue.ts'
import { holds } from '../../../support/property.ts'
import { type Item, openReviewing, type Reviewing } from './working.ts'

const START = '2026-11-02T10:00:00Z'

describe('producers/marketplace/review/queue', () => {
  let market: Reviewing
  before(async () => {
    market = await openReviewing()
    for (const [name, risk, minutes] of [
      ['first', 0.5, 0],
      ['second', 0.9, 10],
      ['third', 0.1, 20],
    ] as const) {
      market.clock.set(START)
      market.clock.advance(minutes * 60_000)
      market.plant(name, risk)
      await market.inReview(name)
    }
    await market.owner("update marketplace.versions set due_at = '2026-11-02T11:00:00Z' where name = 'third'")
    await market.owner(
      `insert into marketplace.versions (org, id, name, version, digest, media_type, description, tags, safety_mode,
         status, reason, key_id, signature_form, signature, submitted_at, due_at)
       select org, ?, name, '0.0.1', digest, media_type, description, tags, safety_mode, status, reason, key_id,
         signature_form, signature, '2026-11-02T09:00:00Z', '2026-11-05T00:00:00Z'
       from marketplace.versions where name = 'first'`,
      [uuidv7()],
    )
  })
  after(() => market.close())
  beforeEach(() => {
    market.clock.set('2026-11-02T12:00:00Z')
  })
  const labelOf = ({ wpk }: Item) => (wpk.version === '0.0.1' ? 'unjudged' : wpk.name)
  const labels = async (query: string) => (await market.queue(query)).reviews.map(labelOf)

  it('is sorted by due date, by age or by risk, the unjudged before the riskiest', async () => {
    const byDue = ['third', 'first', 'second', 'unjudged']
    expect(await labels('')).to.deep.equal(byDue)
    expect(await labels('?sort=due')).to.deep.equal(byDue)
    expect(await labels('?sort=age')).to.deep.equal(['unjudged', 'first', 'second', 'third'])
    expect(await labels('?sort=risk')).to.deep.equal(['unjudged', 'second', 'first', 'third'])
  })

  it('says what is over its target time, and how old each is', async () => {
    const { reviews } = await market.queue('?sort=age')
    expect(reviews.map((one) => [labelOf(one), one.overdue, one.age_seconds])).to.deep.equal([
      ['unjudged', false, 10_800],
      ['first', false, 7_200],
      ['second', false, 6_600],
      ['third', true, 6_000],
    ])
  })

  it('shows mine, and what nobody holds', async () => {
    const { reviews } = await market.queue()
    const [mine, theirs] = [reviews[1]?.id as string, reviews[2]?.id as string]
    await market.post(`/reviews/${mine}/claim`)
    await market.post(`/reviews/${theirs}/claim`, market.tokens.other)
    expect(await labels('?claimed_by=me')).to.deep.equal(['first'])
    expect(await labels('?claimed_by=nobody')).to.deep.equal(['third', 'unjudged'])
    market.clock.advance(15 * 60_000)
    expect(await labels('?claimed_by=me')).to.deep.equal([])
    expect(await labels('?claimed_by=nobody')).to.have.length(4)
  })

  it('refuses another sort, another holder, and a cursor of another sort', async () => {
    const { next } = await market.queue('?sort=risk&limit=1')
    for (const query of ['?sort=name', '?sort=__proto__', '?claimed_by=you', `?sort=due&cursor=${next}`]) {
      const { status, body } = await market.call('GET', `/reviews${query}`, { as: market.tokens.reviewer })
      expect([status, body.code], query).to.deep.equal([400, 'parameter_invalid'])
    }
  })

  it('tells a publisher its place, counted over all organisations', async () => {
    const placeOf = placeInQueue(market.database.as('atom_marketplace'))
    const { reviews } = await market.queue()
    for (const [index, { id, wpk }] of reviews.entries()) {
      const { body } = await market.call('GET', `/wpk/${id}`, { as: market.tokens.demo })
      expect(body.place, wpk.name).to.equal(index + 1)
      expect(body).to.include.keys('status', 'reason', 'expected_decision_at', 'next_step')
    }
    const far = { status: 'in_review' as const, due_at: new Date('2027-01-01'), id: uuidv7() }
    expect(await placeOf(far)).to.equal(5)
    expect(await placeOf({ ...far, status: 'approved' })).to.equal(null)
  })

  it('pages in every order without losing or repeating an item, whatever joins or leaves meanwhile', async () => {
    const { reviews } = await market.queue()
    const known = new Set(reviews.map(({ id }) => id))
    const row = (await market.owner<{ id: string }>("select id from marketplace.versions where name = 'second'"))[0]?.id
    const join = async (risk: number | null, minutes: number) => {
      const at = new Date(Date.parse(START) + minutes * 60_000)
      await market.owner(
        `insert into marketplace.versions (org, id, name, version, digest, media_type, description, tags, safety_mode,
           status, reason, key_id, signature_form, signature, submitted_at, due_at, risk_score)
         select org, ?::uuid, name, ?::text, digest, media_type, description, tags, safety_mode, 'in_review', reason, key_id,
           signature_form, signature, ?::timestamptz, ?::timestamptz + interval '1 day', ?::numeric
         from marketplace.versions where id = ?`,
        [uuidv7(), `9.0.0-${uuidv7()}`, at, at, risk, row],
      )
    }
    const joining = fc.record({
      risk: fc.option(fc.constantFrom(0.1, 0.5, 0.9, 0.3333)),
      minutes: fc.integer({ min: 0, max: 30 }),
    })
    const property = fc.asyncProperty(
      fc.constantFrom('due', 'age', 'risk'),
      fc.integer({ min: 1, max: 3 }),
      fc.array(joining, { maxLength: 4 }),
      async (sort, limit, joins) => {
        const seen: string[] = []
        let cursor: string | null = ''
        for (let turn = 0; cursor !== null; turn += 1) {
          const body: Awaited<ReturnType<Reviewing['queue']>> = await market.queue(
            `?sort=${sort}&limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`,
          )
          seen.push(...body.reviews.map(({ id }) => id))
          cursor = body.next
          const joined = joins[turn]
          if (joined) await join(joined.risk, joined.minutes)
        }
        expect(new Set(seen).size).to.equal(seen.length)
        for (const id of known) expect(seen).to.include(id)
        await market.owner("delete from marketplace.versions where version like '9.0.0-%'")
      },
    )
    await holds(property, Number(process.env.ATOM_RUNS ?? 20))
  })
})
