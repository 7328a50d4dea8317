import { expect } from 'chai'
import { openWebhookWorld, type WebhookWorld } from './webhook-world.ts'

describe('consumers/feeds/webhooks: calls', () => {
  let world: WebhookWorld
  before(async () => {
    world = await openWebhookWorld()
  })
  after(() => world.close())
  afterEach(async () => {
    await world.owner('delete from feeds.webhooks')
  })

  it('never show a secret again, and keep it sealed', async () => {
    const { id, secret } = await world.make()
    for (const path of ['/webhooks', `/webhooks/${id}`]) {
      const { bytes } = await world.call('GET', path, { as: world.tokens.demo })
      expect(bytes.toString()).to.contain(id).and.not.to.contain('whsec_')
    }
    const [row] = await world.owner<{ sealed: Buffer }>('select sealed from feeds.webhook_secrets')
    expect(row?.sealed.includes(Buffer.from(secret.slice(6), 'base64'))).to.equal(false)
    expect(JSON.stringify(world.lines)).not.to.contain(secret)
    await expectRefused(world.deps.db.query('select sealed from feeds.webhook_secrets'))
  })

  it('keep what the receiver knows when a rotation is asked for again, up to four secrets', async () => {
    const { id } = await world.make()
    for (const status of [200, 200, 200, 409])
      expect((await world.post(`/webhooks/${id}/rotate-secret`)).status).to.equal(status)
    expect((await world.post(`/webhooks/${id}/rotate-secret`, { overlap_hours: 0 })).status).to.equal(200)
    const valid = await world.owner('select 1 from feeds.webhook_secrets where expires_at is null or expires_at > ?', [
      world.clock(),
    ])
    expect(valid).to.have.length(1)
  })

  it('take a secret of the caller', async () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
    expect((await world.make({ secret })).secret).to.equal(secret)
    for (const bad of ['whsec_AAAA', 'nonsense', `whsec_${'A'.repeat(200)}`])
      expect((await world.post('/webhooks', { url: world.receiver.url('/bad'), secret: bad })).status, bad).to.equal(
        400,
      )
  })

  it('are made once for each address, and ten for each organisation, however many ask at once', async () => {
    const json = { url: world.receiver.url('/twice') }
    const both = await Promise.all([world.post('/webhooks', json), world.post('/webhooks', json)])
    expect(both.map(({ status }) => status).sort()).to.deep.equal([201, 409])
    const many = await Promise.all(
      Array.from({ length: 12 }, (_, i) => world.post('/webhooks', { url: world.receiver.url(`/m${i}`) })),
    )
    expect(many.filter(({ status }) => status === 201)).to.have.length(9)
    expect(many.find(({ status }) => status === 409)?.body.code).to.equal('too_many_webhooks')
  })

  it('are their organisation’s alone', async () => {
    const { id } = await world.make()
    await world.post(`/webhooks/${id}/test`)
    const [delivery] = await world.deliveries(id)
    const on = `/webhooks/${id}`
    for (const [method, path] of [
      ['GET', on],
      ['DELETE', on],
      ['POST', `${on}/test`],
      ['POST', `${on}/enable`],
      ['POST', `${on}/rotate-secret`],
      ['GET', `${on}/deliveries`],
      ['GET', `${on}/deliveries/${delivery?.id}`],
      ['POST', `${on}/deliveries/${delivery?.id}/redeliver`],
    ] as const) {
      const as = world.tokens.acme
      expect((await world.call(method, path, { as, ...(method === 'POST' ? { json: {} } : {}) })).status).to.equal(404)
      expect((await world.call(method, path, { as: world.tokens.reader })).status).to.equal(403)
      expect((await world.call(method, path)).status).to.equal(401)
    }
  })

  it('refuse addresses and types that nobody could mean', async () => {
    for (const json of [{ url: 'nonsense' }, { url: 'ftp://a.b/' }, { url: 'https://u:p@a.b/' }]) {
      const { status, body } = await world.post('/webhooks', json)
      expect([status, body.code]).to.deep.equal([400, 'webhook_url_refused'])
    }
    expect((await world.post('/webhooks', { url: world.receiver.url('/x'), types: ['nonsense'] })).status).to.equal(400)
    expect((await world.post('/webhooks', { url: world.receiver.url('/x'), more: 1 })).status).to.equal(400)
  })

  it('can be tested: one waits at a time, and it is no event of the feed', async () => {
    const { id, path } = await world.make({ types: ['invoice.*'] })
    const first = await world.post(`/webhooks/${id}/test`)
    const second = await world.post(`/webhooks/${id}/test`)
    expect(first.status).to.equal(202)
    expect(second.body.id).to.equal(first.body.id)
    await world.send()
    expect(JSON.parse(world.receiver.at(path)[0]?.body ?? '')).to.deep.include({
      type: 'webhook.test',
      data: { webhook_id: id },
    })
    const { body } = await world.call('GET', `/webhooks/${id}/deliveries/${first.body.id}`, { as: world.tokens.demo })
    expect(body).to.deep.include({ state: 'delivered', last_status: 204 })
    expect(body.tries).to.have.length(1)
  })
})

async function expectRefused(work: Promise<unknown>): Promise<void> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(String(error)).to.contain('permission denied')
}
