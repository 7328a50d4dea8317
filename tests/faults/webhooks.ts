import { type Receiver, startReceiver } from '../support/webhook-receiver.ts'
import type { Driving } from './drives.ts'
import type { Finding } from './oracle.ts'
import { uploadPackage } from './packages.ts'
import { insist, type Server, type Stage } from './stage.ts'

type Delivery = { event_id: string; type: string; state: string; attempts: number }

/** Webhooks of a partner that uploads: each event is planned once for each, and told at least once, under one id. */
export function calling(stage: Stage): Driving {
  let receiver: Receiver | undefined
  const webhooks = new Map<string, string>()
  const uploaded = new Map<string, Promise<unknown>>()
  const partner = { token: stage.orgs.demo.tokens.partner, service: 'marketplace' as const }
  return {
    services: ['marketplace', 'governance'],
    async env() {
      receiver ??= await startReceiver()
      return { ATOM_WEBHOOK_PRIVATE: 'on' }
    },
    async prepare(server, names) {
      for (const name of names) {
        const body = { url: (receiver as Receiver).url(`/${name}`), types: ['wpk.submitted'] }
        // 409: stored before whatever ate the answer.
        const made = ({ status }: { status: number }) => status === 201 || status === 409
        await insist(server, 'POST', '/webhooks', { ...partner, body }, made)
      }
      const { body } = await insist(server, 'GET', '/webhooks', partner)
      for (const one of (body as { webhooks: { id: string; url: string }[] }).webhooks)
        webhooks.set(new URL(one.url).pathname.slice(1), one.id)
    },
    async push(server, name) {
      const done = uploadPackage(stage, server, name)
      uploaded.set(name, done)
      await done
    },
    async finish(last, name) {
      await uploaded.get(name)
      return told(last, name, webhooks.get(name) as string)
    },
    async close() {
      await receiver?.close()
    },
  }

  async function told(server: Server, name: string, id: string): Promise<Finding> {
    const [event] = await stage.world.owner.query<{ id: string }>(
      `select headers->>'ce_id' as id from platform.event_log where key = ? and headers->>'ce_type' = 'wpk.submitted'`,
      [name],
    )
    let found: Delivery[] = []
    await insist(server, 'GET', `/webhooks/${id}/deliveries?limit=500`, partner, ({ body }) => {
      found = ((body as { deliveries?: Delivery[] }).deliveries ?? []).filter(({ event_id }) => event_id === event?.id)
      return found.length > 0 && found.every(({ state }) => state !== 'pending')
    })
    const wrong = found.filter(({ state }) => state !== 'delivered').map(({ state }) => `${name}: ${state}`)
    const calls = (receiver as Receiver).at(`/${name}`).filter(({ headers }) => headers['webhook-id'] === event?.id)
    const counted = calls.length > 0 ? 1 : 0
    return { acknowledged: 1, counted, lost: 1 - counted, double: Math.max(0, found.length - 1), wrong }
  }
}
