import { expect } from 'chai'
import fc from 'fast-check'
import { expireFeed, FEED_DAYS } from '../../../consumers/feeds/expire-feed.ts'
import { cursorText, readCursor } from '../../../consumers/feeds/feed-cursor.ts'
import { toldTypes, untoldTypes } from '../../../consumers/feeds/told-events.ts'
import type { Envelope } from '../../../schemas/envelope.ts'
import { creditNoteIssued } from '../../../schemas/events/credit_note.issued.ts'
import { invoiceIssued } from '../../../schemas/events/invoice.issued.ts'
import { invoiceUpdated } from '../../../schemas/events/invoice.updated.ts'
import { wpkBlocked } from '../../../schemas/events/wpk.blocked.ts'
import { wpkDeprecated } from '../../../schemas/events/wpk.deprecated.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkVisibilityChanged } from '../../../schemas/events/wpk_visibility.changed.ts'
import { eventTypes } from '../../../schemas/index.ts'
import { gate } from '../../support/eventually.ts'
import { holds } from '../../support/property.ts'
import { type FeedWorld, openFeedWorld } from './fixture.ts'

type Page = { events: Envelope[]; next: string; caught_up: boolean }

describe('consumers/feeds: the feed', () => {
  let world: FeedWorld
  before(async () => {
    world = await openFeedWorld()
  })
  after(() => world.close())
  const read = async (as: string, query = ''): Promise<Page> => {
    const { status, body } = await world.call<Page>('GET', `/feed?${query}`, { as })
    expect(status, JSON.stringify(body)).to.equal(200)
    return body
  }
  const ids = ({ events }: Page) => events.map(({ id }) => id)
  let from: { demo: string; acme: string }
  beforeEach(async () => {
    from = {
      demo: (await read(world.tokens.demo, 'cursor=latest')).next,
      acme: (await read(world.tokens.acme, 'cursor=latest')).next,
    }
  })

  it('says of every event type whether it is told', () => {
    expect([...toldTypes, ...untoldTypes].sort()).to.deep.equal(eventTypes.map(({ type }) => type).sort())
  })

  it('tells a publisher of its packages, everybody of what is public, and a tenant of its invoices', async () => {
    const submitted = await world.happen(wpkSubmitted)
    const published = await world.happen(wpkPublished)
    const blocked = await world.happen(wpkBlocked)
    const invoice = await world.happen(invoiceIssued)
    const note = await world.happen(creditNoteIssued)
    await world.happen(invoiceUpdated)
    const demo = await read(world.tokens.demo, `cursor=${from.demo}`)
    expect(ids(demo)).to.have.members([submitted.id, published.id, blocked.id])
    expect(demo.events.find(({ id }) => id === submitted.id)).to.deep.equal(submitted)
    const acme = await read(world.tokens.acme, `cursor=${from.acme}`)
    expect(ids(acme)).to.have.members([published.id, blocked.id, invoice.id, note.id])
    const operator = await read(world.tokens.finance, `cursor=${from.demo}`)
    expect(ids(operator)).to.have.members([submitted.id, published.id, blocked.id, invoice.id, note.id])
  })

  it('tells the publisher alone of a private package, also what everybody saw, until it is public again', async () => {
    const seen = async () => ids(await read(world.tokens.acme, `cursor=${from.acme}`))
    const mine = { name: 'secret-workers' }
    const before = await world.happen(wpkPublished, mine)
    const other = await world.happen(wpkPublished)
    await world.happen(wpkVisibilityChanged, { ...mine, visibility: 'private' })
    const after = await world.happen(wpkDeprecated, mine)
    expect(await seen()).to.deep.equal([other.id])
    const own = ids(await read(world.tokens.demo, `cursor=${from.demo}&types=wpk.*`))
    expect(own).to.deep.equal([before.id, other.id, after.id])
    await world.happen(wpkVisibilityChanged, { ...mine, visibility: 'public' })
    expect(await seen()).to.deep.equal([before.id, other.id, after.id])
  })

  it('goes on where a cursor stands, page by page, and past what others are told', async () => {
    const sent: string[] = []
    for (let n = 0; n < 5; n += 1) sent.push((await world.happen(wpkSubmitted)).id)
    const read2: string[] = []
    let cursor = from.demo
    for (let pages = 1; ; pages += 1) {
      const page = await read(world.tokens.demo, `limit=2&cursor=${cursor}`)
      read2.push(...ids(page))
      cursor = page.next
      expect(page.caught_up).to.equal(pages === 3)
      if (page.caught_up) break
    }
    expect(read2).to.deep.equal(sent)
    const others = await read(world.tokens.acme, `cursor=${from.acme}`)
    expect(others.events).to.deep.equal([])
    expect(others.next, 'moved on all the same').not.to.equal(from.acme)
    expect((await read(world.tokens.demo, `cursor=${cursor}`)).next).to.equal(cursor)
  })

  it('tells of the types that are named', async () => {
    const submitted = await world.happen(wpkSubmitted)
    const published = await world.happen(wpkPublished)
    expect(ids(await read(world.tokens.demo, `cursor=${from.demo}&types=wpk.published`))).to.deep.equal([published.id])
    expect(ids(await read(world.tokens.demo, `cursor=${from.demo}&types=invoice.*,wpk.*`))).to.have.members([
      submitted.id,
      published.id,
    ])
    const unknown = await world.call('GET', '/feed?types=wpk.nonsense', { as: world.tokens.demo })
    expect(unknown).to.deep.include({ status: 400 })
    expect(unknown.body.code).to.equal('parameter_invalid')
  })

  it('gives the batch format of CloudEvents where it is asked for', async () => {
    const submitted = await world.happen(wpkSubmitted)
    const answer = await fetch(`${world.url}/feed?cursor=${from.demo}`, {
      headers: { authorization: `Bearer ${world.tokens.demo}`, accept: 'application/cloudevents-batch+json' },
    })
    expect(answer.headers.get('content-type')).to.match(/^application\/cloudevents-batch\+json/)
    expect(await answer.json()).to.deep.equal([submitted])
    expect(answer.headers.get('link')).to.match(/cursor=.+rel="next"/)
  })

  it('waits for what comes, and answers nothing when nothing came', async () => {
    const waiting = read(world.tokens.demo, `cursor=${from.demo}&wait=20`)
    const submitted = await world.happen(wpkSubmitted)
    expect(ids(await waiting)).to.deep.equal([submitted.id])
    const nothing = await read(world.tokens.demo, 'cursor=latest&wait=1')
    expect(nothing).to.deep.include({ events: [], caught_up: true })
  })

  it('never skips an event whose transaction commits late', async () => {
    const { allOrgs } = world.deps
    const { opened, open } = gate()
    const begun = gate()
    // As the group does, but held before its commit.
    const late = allOrgs.transaction(async (tx) => {
      await tx.raw(
        `with next as (update feeds.sequence set last = last + 1 returning last)
         insert into feeds.events (seq, org, public, type, event_id, event, recorded_at)
         select last, 'demo', false, 'wpk.submitted', 'late', '{"id":"late"}', now() from next`,
      )
      begun.open()
      await opened
    })
    await begun.opened
    const next = world.happen(wpkSubmitted)
    const during = await read(world.tokens.demo, `cursor=${from.demo}`)
    expect(during.events).to.deep.equal([])
    open()
    await late
    const after = await next
    expect(ids(await read(world.tokens.demo, `cursor=${during.next}`))).to.deep.equal(['late', after.id])
  })

  it('is for credentials that may read, and refuses forged cursors and senseless numbers', async () => {
    expect((await world.call('GET', '/feed', {})).status).to.equal(401)
    expect((await world.call('GET', '/feed', { as: world.tokens.publisher })).status).to.equal(403)
    expect((await world.call('GET', '/feed', { as: world.tokens.reader })).status).to.equal(200)
    for (const query of ['cursor=nonsense', 'cursor=W10', 'limit=0', 'limit=501', 'wait=31', 'limit=x', 'types='])
      expect((await world.call('GET', `/feed?${query}`, { as: world.tokens.demo })).status, query).to.equal(400)
  })

  it('has cursors that are read as they were written, and no others', () =>
    holds(
      fc.property(fc.uuid(), fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), (epoch, after) => {
        expect(readCursor(cursorText({ epoch, after }))).to.deep.equal({ epoch, after })
      }),
    ))

  it('says that a cursor is too old, or of another feed, with the earliest one', async () => {
    await world.happen(wpkSubmitted)
    const old = from.demo
    world.clock.advance((FEED_DAYS + 1) * 86_400_000)
    const kept = await world.happen(wpkSubmitted)
    expect(await expireFeed(world.deps.allOrgs, world.clock())).to.be.greaterThan(0)
    const refused = await world.call('GET', `/feed?cursor=${old}`, { as: world.tokens.demo })
    expect(refused.status).to.equal(410)
    expect(refused.body.code).to.equal('cursor_expired')
    const earliest = /cursor=([^>]+)>; rel="first"/.exec(refused.headers.get('link') ?? '')?.[1]
    expect(ids(await read(world.tokens.demo, `cursor=${earliest}`))).to.deep.equal([kept.id])
    expect(ids(await read(world.tokens.demo))).to.deep.equal([kept.id])
    const { epoch, after } = readCursor(from.demo)
    const ahead = cursorText({ epoch, after: after + 1000n })
    const other = cursorText({ epoch: '00000000-0000-4000-8000-000000000000', after })
    for (const cursor of [ahead, other])
      expect((await world.call('GET', `/feed?cursor=${cursor}`, { as: world.tokens.demo })).status).to.equal(410)
  })
})
