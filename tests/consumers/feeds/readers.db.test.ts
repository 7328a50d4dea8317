import { expect } from 'chai'
import { publicTypes } from '../../../consumers/feeds/told-events.ts'
import { rows } from '../../../platform/db.ts'
import type { Envelope } from '../../../schemas/envelope.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { wpkSubmitted } from '../../../schemas/events/wpk.submitted.ts'
import { wpkReaderChanged } from '../../../schemas/events/wpk_reader.changed.ts'
import { wpkVisibilityChanged } from '../../../schemas/events/wpk_visibility.changed.ts'
import { eventTypes } from '../../../schemas/index.ts'
import { type FeedWorld, openFeedWorld } from './fixture.ts'

type Page = { events: Envelope[]; next: string }

describe('consumers/feeds: readers of private packages', () => {
  let world: FeedWorld
  before(async () => {
    world = await openFeedWorld()
  })
  after(() => world.close())
  const read = async (query: string) =>
    (await world.call<Page>('GET', `/feed?${query}`, { as: world.tokens.acme })).body
  const ids = ({ events }: Page) => events.map(({ id }) => id)
  let from: string
  beforeEach(async () => {
    from = (await read('cursor=latest')).next
  })

  it('tells readers of a private package what everybody is told of others, and that they may read it', async () => {
    const seen = async () => ids(await read(`cursor=${from}`))
    const mine = { name: 'lent-workers' }
    await world.happen(wpkVisibilityChanged, { ...mine, visibility: 'private' })
    const before = await world.happen(wpkPublished, mine)
    const granted = await world.happen(wpkReaderChanged, { ...mine, reader: 'acme', access: 'granted' })
    await world.happen(wpkReaderChanged, { ...mine, reader: 'acme', access: 'granted' })
    await world.happen(wpkSubmitted, mine)
    const later: string[] = []
    for (const definition of eventTypes.filter(({ type }) => publicTypes.includes(type)))
      later.push((await world.happen(definition, mine)).id)
    expect(later, 'types that everybody is told of').to.have.length(4)
    const all = await seen()
    expect(all.slice(0, 2)).to.deep.equal([before.id, granted.id])
    expect(all.slice(3)).to.deep.equal(later)
    const blocked = ids(await read(`cursor=${from}&types=wpk.blocked,wpk.submitted`))
    expect(blocked).to.have.length(1)
    const ended = await world.happen(wpkReaderChanged, { ...mine, reader: 'acme', access: 'ended' })
    expect(await seen()).to.deep.equal([granted.id, all[2], ended.id])
  })

  it('shows a reader no package but that one, in the database as well', async () => {
    await world.happen(wpkVisibilityChanged, { name: 'kept-workers', visibility: 'private' })
    await world.happen(wpkPublished, { name: 'kept-workers' })
    await world.happen(wpkReaderChanged, { name: 'other-workers', reader: 'acme', access: 'granted' })
    const found = await world.deps.db.transaction(
      (tx) => rows(tx, "select 1 from feeds.events where package = 'kept-workers'"),
      { scope: { org: 'acme', operator: false } },
    )
    expect(found).to.deep.equal([])
  })

  it('are called as they are told, and only while they may read', async () => {
    const mine = { name: 'called-workers' }
    const made = await world.call<{ id: string }>('POST', '/webhooks', {
      as: world.tokens.acme,
      json: { url: 'https://hooks.example.org/atom', types: ['wpk.*'] },
    })
    expect(made.status, JSON.stringify(made.body)).to.equal(201)
    await world.happen(wpkVisibilityChanged, { ...mine, visibility: 'private' })
    await world.happen(wpkPublished, mine)
    await world.happen(wpkReaderChanged, { ...mine, reader: 'acme', access: 'granted' })
    const told = await world.happen(wpkPublished, mine)
    await world.happen(wpkSubmitted, mine)
    await world.happen(wpkReaderChanged, { ...mine, reader: 'acme', access: 'ended' })
    await world.happen(wpkPublished, mine)
    const planned = await world.owner<{ event_id: string }>('select event_id from feeds.deliveries order by id')
    expect(planned.map(({ event_id }) => event_id)).to.deep.equal([told.id])
  })
})
