import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import { type Received, startReceiver } from '../../../support/webhook-receiver.ts'
import { openFeedWorld } from '../fixture.ts'

export type Webhook = { id: string; url: string; secret: string; state: string; disabled_reason: string | null }
export type Delivery = {
  id: string
  event_id: string
  type: string
  state: string
  attempts: number
  last_error: string | null
}

/** The feed's world with a receiver of webhooks and short words for what is asked of them. */
export async function openWebhookWorld() {
  const receiver = await startReceiver()
  const world = await openFeedWorld()
  let n = 0
  return {
    ...world,
    receiver,
    async make(more: object = {}, as = world.tokens.demo): Promise<Webhook & { path: string }> {
      n += 1
      const path = `/hook-${n}`
      const json = { url: receiver.url(path), ...more }
      const { status, body } = await world.call<Webhook>('POST', '/webhooks', { as, json })
      expect(status, JSON.stringify(body)).to.equal(201)
      return { ...body, path }
    },
    async deliveries(id: string, query = ''): Promise<Delivery[]> {
      const path = `/webhooks/${id}/deliveries${query}`
      const { status, body } = await world.call<{ deliveries: Delivery[] }>('GET', path, { as: world.tokens.demo })
      expect(status).to.equal(200)
      return body.deliveries
    },
    post: (path: string, json: object = {}) =>
      world.call<Record<string, unknown> & { code: string }>('POST', path, { as: world.tokens.demo, json }),
    async webhook(id: string): Promise<Record<string, unknown>> {
      return (await world.call('GET', `/webhooks/${id}`, { as: world.tokens.demo })).body
    },
    async close() {
      await world.close()
      await receiver.close()
    },
  }
}
export type WebhookWorld = Awaited<ReturnType<typeof openWebhookWorld>>

/** What a receiver computes by the scheme of Standard Webhooks. */
export function signatureOf({ headers, body }: Received, secret: string): string {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
}
