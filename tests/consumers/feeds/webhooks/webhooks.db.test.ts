import { expect } from 'chai'
import { beginAttempt } from '../../../../consumers/feeds/webhooks/delivery-rows.ts'
import {
  DISABLED_AFTER_DAYS,
  MOST_ATTEMPTS,
  RETRY_WAITS_MS,
} from '../../../../consumers/feeds/webhooks/retry-schedule.ts'
import { openSender } from '../../../../consumers/feeds/webhooks/sender.ts'
import { invoiceIssued } from '../../../../schemas/events/invoice.issued.ts'
import { orgReactivated } from '../../../../schemas/events/org.reactivated.ts'
import { orgSuspended } from '../../../../schemas/events/org.suspended.ts'
import { wpkPublished } from '../../../../schemas/events/wpk.published.ts'
import { wpkSubmitted } from '../../../../schemas/events/wpk.submitted.ts'
import { eventually, gate } from '../../../support/eventually.ts'
import type { Received } from '../../../support/webhook-receiver.ts'
import { openWebhookWorld, signatureOf, type Webhook, type WebhookWorld } from './webhook-world.ts'

describe('consumers/feeds/webhooks: deliveries', () => {
  let world: WebhookWorld
  before(async () => {
    world = await openWebhookWorld()
  })
  after(() => world.close())
  afterEach(async () => {
    await world.owner('delete from feeds.webhooks')
  })

  it('are told what their organisation may see, signed, with the bytes of the feed', async () => {
    const mine = await world.make()
    const theirs = await world.make({}, world.tokens.acme)
    const submitted = await world.happen(wpkSubmitted)
    const published = await world.happen(wpkPublished)
    const invoice = await world.happen(invoiceIssued)
    await world.send()
    const told = world.receiver.at(mine.path)
    expect(told.map(({ headers }) => headers['webhook-id'])).to.deep.equal([submitted.id, published.id])
    expect(JSON.parse(told[0]?.body ?? '')).to.deep.equal(submitted)
    for (const one of told) expect(one.headers['webhook-signature']).to.equal(signatureOf(one, mine.secret))
    expect(told[0]?.headers['webhook-timestamp']).to.equal(String(world.clock().getTime() / 1000))
    expect(world.receiver.at(theirs.path).map(({ headers }) => headers['webhook-id'])).to.have.members([
      published.id,
      invoice.id,
    ])
    expect((await world.deliveries(mine.id)).map(({ state, attempts }) => [state, attempts])).to.deep.equal([
      ['delivered', 1],
      ['delivered', 1],
    ])
    await world.send()
    expect(world.receiver.at(mine.path)).to.have.length(2)
  })

  it('are told of the types they name', async () => {
    const some = await world.make({ types: ['wpk.published', 'invoice.*'] })
    await world.happen(wpkSubmitted)
    const published = await world.happen(wpkPublished)
    expect((await world.deliveries(some.id)).map(({ event_id }) => event_id)).to.deep.equal([published.id])
  })

  it('sign with the old secret beside the new one until the overlap is over', async () => {
    const { id, path, secret: old } = await world.make()
    const { body } = await world.post(`/webhooks/${id}/rotate-secret`)
    await world.happen(wpkPublished)
    await world.send()
    const [both] = world.receiver.at(path)
    expect(both?.headers['webhook-signature']).to.equal(
      [signatureOf(both as Received, body.secret as string), signatureOf(both as Received, old)].join(' '),
    )
    world.clock.advance(25 * 3_600_000)
    await world.happen(wpkPublished)
    await world.send()
    const last = world.receiver.at(path).at(-1) as Received
    expect(last.headers['webhook-signature']).to.equal(signatureOf(last, body.secret as string))
  })

  it('are tried again for a day with growing waits, then given up, and told again when asked', async () => {
    const { id, path } = await world.make()
    world.receiver.behave(path, (response) => response.writeHead(500).end())
    const published = await world.happen(wpkPublished)
    for (const wait of RETRY_WAITS_MS) {
      await world.send()
      world.clock.advance(wait - 1)
      const before = world.receiver.at(path).length
      await world.send()
      expect(world.receiver.at(path), 'not before its time').to.have.length(before)
      world.clock.advance(1)
    }
    await world.send()
    const [dead] = await world.deliveries(id, '?state=dead')
    expect(dead).to.deep.include({ state: 'dead', attempts: MOST_ATTEMPTS, last_error: 'bad_status' })
    expect(world.receiver.at(path)).to.have.length(MOST_ATTEMPTS)
    expect(new Set(world.receiver.at(path).map(({ headers }) => headers['webhook-id']))).to.deep.equal(
      new Set([published.id]),
    )
    const total = RETRY_WAITS_MS.reduce((sum, one) => sum + one, 0)
    expect(total / 3_600_000).to.be.within(23, 25)
    world.receiver.behaveWell(path)
    expect((await world.post(`/webhooks/${id}/deliveries/${dead?.id}/redeliver`)).status).to.equal(202)
    expect((await world.post(`/webhooks/${id}/deliveries/${dead?.id}/redeliver`)).status).to.equal(202)
    await world.send()
    expect(world.receiver.at(path)).to.have.length(MOST_ATTEMPTS + 1)
    expect((await world.deliveries(id))[0]).to.deep.include({ state: 'delivered', attempts: MOST_ATTEMPTS + 1 })
  })

  it('are disabled when nothing worked for days, with the reason, and told of what comes once enabled again', async () => {
    const { id, path } = await world.make()
    world.receiver.behave(path, (response) => response.writeHead(500).end())
    await world.happen(wpkPublished)
    await world.send()
    world.clock.advance(DISABLED_AFTER_DAYS * 86_400_000)
    await world.happen(wpkPublished)
    await world.send()
    const { body } = await world.call<Webhook>('GET', `/webhooks/${id}`, { as: world.tokens.demo })
    expect(body.state).to.equal('disabled')
    expect(body.disabled_reason).to.match(/every call failed for 5 days: bad_status/)
    expect((await world.deliveries(id)).map(({ state }) => state)).to.deep.equal(['dead', 'dead'])
    await world.happen(wpkPublished)
    expect(await world.deliveries(id), 'nothing is planned meanwhile').to.have.length(2)
    expect((await world.post(`/webhooks/${id}/test`)).body.code).to.equal('webhook_disabled')
    world.receiver.behaveWell(path)
    expect((await world.post(`/webhooks/${id}/enable`)).body).to.deep.include({ state: 'on', disabled_reason: null })
    const again = await world.happen(wpkPublished)
    await world.send()
    expect(world.receiver.at(path).at(-1)?.headers['webhook-id']).to.equal(again.id)
  })

  it('are disabled at once by 410, and one success forgets a failure', async () => {
    const gone = await world.make()
    world.receiver.behave(gone.path, (response) => response.writeHead(410).end())
    const flaky = await world.make()
    world.receiver.behave(flaky.path, (response) => response.writeHead(500).end())
    await world.happen(wpkPublished)
    await world.send()
    const state = async (id: string) => (await world.call('GET', `/webhooks/${id}`, { as: world.tokens.demo })).body
    expect(await state(gone.id)).to.deep.include({ state: 'disabled', disabled_reason: 'it answered 410: it is gone' })
    expect((await state(flaky.id)).failing_since).to.be.a('string')
    world.receiver.behaveWell(flaky.path)
    world.clock.advance(60_000)
    await world.send()
    expect(await state(flaky.id)).to.deep.include({ state: 'on', failing_since: null, pending: 0 })
  })

  it('that are slow keep nobody waiting but themselves', async () => {
    const slow = await world.make()
    const quick = await world.make()
    const { open, opened } = gate()
    world.receiver.behave(slow.path, (response) => void opened.then(() => response.writeHead(204).end()))
    for (let i = 0; i < 3; i += 1) await world.happen(wpkPublished)
    await world.sender.tick()
    await eventually('the quick one has all', () => world.receiver.at(quick.path).length === 3)
    await world.sender.tick()
    expect(world.receiver.at(slow.path), 'one call at a time').to.have.length(1)
    open()
    await world.sender.idle()
    expect(world.receiver.at(slow.path)).to.have.length(3)
  })

  it('are told once when two processes call, and again when one died in the middle', async () => {
    const { id, path } = await world.make()
    const published = await world.happen(wpkPublished)
    const other = openSender(world.deps)
    await Promise.all([world.sender.tick(), other.tick()])
    await Promise.all([world.sender.idle(), other.idle()])
    expect(world.receiver.at(path)).to.have.length(1)
    const next = await world.happen(wpkPublished)
    // A process that takes it and is never heard of again.
    const [{ org }] = (await world.owner<{ org: string }>('select org from feeds.webhooks')) as [{ org: string }]
    expect(await beginAttempt(world.deps.allOrgs, { org, id }, world.clock())).to.deep.include({ event_id: next.id })
    await world.send()
    expect(world.receiver.at(path)).to.have.length(1)
    world.clock.advance(30_000)
    await world.send()
    expect(world.receiver.at(path).map(({ headers }) => headers['webhook-id'])).to.deep.equal([published.id, next.id])
    expect((await world.deliveries(id))[0]).to.deep.include({ state: 'delivered', attempts: 2 })
  })

  it('whose secret was sealed with another key wait, and are not blamed for it', async () => {
    const { id, path } = await world.make()
    await world.owner(`update feeds.webhook_secrets set sealed = decode(repeat('00', 60), 'hex')`)
    await world.happen(wpkPublished)
    await world.send()
    expect(world.receiver.at(path)).to.deep.equal([])
    expect((await world.deliveries(id))[0]).to.deep.include({ state: 'pending', last_error: 'secret_unreadable' })
    const { body } = await world.call('GET', `/webhooks/${id}`, { as: world.tokens.demo })
    expect(body.failing_since).to.equal(null)
  })

  it('of a suspended organisation wait until it may act again', async () => {
    const { path } = await world.make()
    await world.happen(orgSuspended)
    const published = await world.happen(wpkPublished)
    await world.send()
    expect(world.receiver.at(path)).to.deep.equal([])
    await world.happen(orgReactivated)
    await world.send()
    expect(world.receiver.at(path).map(({ headers }) => headers['webhook-id'])).to.include(published.id)
  })

  it('can be deleted while they are called', async () => {
    const { id, path } = await world.make()
    const { open, opened } = gate()
    world.receiver.behave(path, (response) => void opened.then(() => response.writeHead(204).end()))
    await world.happen(wpkPublished)
    await world.sender.tick()
    await eventually('it is called', () => world.receiver.at(path).length === 1)
    expect((await world.call('DELETE', `/webhooks/${id}`, { as: world.tokens.demo })).status).to.equal(204)
    open()
    await world.sender.idle()
    expect(
      await world.owner('select 1 from feeds.deliveries union all select 1 from feeds.webhook_secrets'),
    ).to.have.length(0)
    expect((await world.call('DELETE', `/webhooks/${id}`, { as: world.tokens.demo })).status).to.equal(404)
  })
})
