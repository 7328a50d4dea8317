import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { FeedDeps } from '../deps.ts'
import { feedError } from '../errors.ts'
import { webhookAccess } from './webhook-routes.ts'
import { findWebhook, type WebhookRow } from './webhook-text.ts'

type DeliveryRow = {
  id: string
  event_id: string
  type: string
  state: 'pending' | 'delivered' | 'dead'
  attempts: number
  next_attempt_at: Date
  last_status: number | null
  last_error: string | null
  created_at: Date
  ended_at: Date | null
}
type AttemptRow = {
  attempt: number
  begun_at: Date
  ended_at: Date | null
  status: number | null
  code: string | null
  detail: string | null
}

const COLUMNS = `id::text, event_id, type, state, attempts, next_attempt_at, last_status, last_error, created_at, ended_at`
const STATES = ['pending', 'delivered', 'dead']

/** What a webhook was told, attempt by attempt; a test, and being told again. */
export function deliveryRoutes({ db, now }: Pick<FeedDeps, 'db' | 'now'>): Route[] {
  const inOrg = <T>(call: Call, work: (tx: Tx, webhook: WebhookRow) => Promise<T>): Promise<T> =>
    db.transaction(async (tx) => work(tx, await findWebhook(tx, call.principal.org, call.params.id)), {
      scope: { ...scopeOf(call.principal), operator: false },
      locks: call.params.id === undefined ? [] : [`webhook/${call.params.id}`],
    })

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['bigint'])
    const state = call.query.get('state')
    if (state !== null && !STATES.includes(state))
      throw httpError('parameter_invalid', `\`state\` is one of ${STATES.join(', ')}`)
    const found = await inOrg(call, (tx, { org, id }) =>
      rows<DeliveryRow>(
        tx,
        `select ${COLUMNS} from feeds.deliveries where org = ? and webhook_id = ?
         ${state === null ? '' : 'and state = ?'} ${after === null ? '' : 'and id < ?'} order by id desc limit ?`,
        [org, id, ...(state === null ? [] : [state]), ...(after ?? []), limit + 1],
      ),
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { deliveries: items.map(deliveryText), next },
    }
  }

  const show = (call: Call): Promise<Answer> =>
    inOrg(call, async (tx, webhook) => {
      const found = await findDelivery(tx, webhook, call.params.delivery)
      const tries = await rows<AttemptRow>(
        tx,
        `select attempt, begun_at, ended_at, status, code, detail from feeds.attempts
         where org = ? and webhook_id = ? and delivery_id = ? order by attempt desc`,
        [webhook.org, webhook.id, found.id],
      )
      return { status: 200, body: { ...deliveryText(found), tries } }
    })

  /** One test waits at a time: asked for twice, there is one. */
  const test = (call: Call): Promise<Answer> =>
    inOrg(call, async (tx, webhook) => {
      requireOn(webhook)
      const { org, id } = webhook
      const waiting = await row<DeliveryRow>(
        tx,
        `select ${COLUMNS} from feeds.deliveries where org = ? and webhook_id = ? and seq is null and state = 'pending'`,
        [org, id],
      )
      if (waiting) return { status: 202, body: deliveryText(waiting) }
      const at = now()
      const event = testEvent(id, at)
      const made = await row<DeliveryRow>(
        tx,
        `insert into feeds.deliveries (org, webhook_id, event_id, type, body, next_attempt_at, created_at)
         values (?, ?, ?, ?, ?, ?, ?) returning ${COLUMNS}`,
        [org, id, event.id, event.type, JSON.stringify(event), at, at],
      )
      return { status: 202, body: deliveryText(made as DeliveryRow) }
    })

  /** Tells it again with the same `webhook-id`, attempts counted on and waits from the first. A waiting one stays. */
  const redeliver = (call: Call): Promise<Answer> =>
    inOrg(call, async (tx, webhook) => {
      requireOn(webhook)
      const { id } = await findDelivery(tx, webhook, call.params.delivery)
      await execute(
        tx,
        `update feeds.deliveries set state = 'pending', attempts_before = attempts, next_attempt_at = ?, ended_at = null
         where org = ? and webhook_id = ? and id = ? and state <> 'pending'`,
        [now(), webhook.org, webhook.id, id],
      )
      return { status: 202, body: deliveryText(await findDelivery(tx, webhook, id)) }
    })

  const access = webhookAccess
  const all = '/webhooks/:id/deliveries'
  const one = `${all}/:delivery`
  return [
    { method: 'POST', path: '/webhooks/:id/test', summary: 'Call a webhook with a test', access, handle: test },
    { method: 'GET', path: all, summary: 'What a webhook was told, the latest first', access, handle: list },
    { method: 'GET', path: one, summary: 'A delivery with its attempts', access, handle: show },
    { method: 'POST', path: `${one}/redeliver`, summary: 'Tell a webhook again', access, handle: redeliver },
  ]
}

async function findDelivery(tx: Tx, { org, id }: WebhookRow, delivery: string | undefined): Promise<DeliveryRow> {
  const found = /^\d{1,18}$/.test(delivery ?? '')
    ? await row<DeliveryRow>(
        tx,
        `select ${COLUMNS} from feeds.deliveries where org = ? and webhook_id = ? and id = ?`,
        [org, id, delivery],
      )
    : undefined
  if (!found) throw httpError('not_found', 'no delivery with this id')
  return found
}

function requireOn({ state, disabled_reason }: WebhookRow): void {
  if (state !== 'on') throw feedError('webhook_disabled', `${disabled_reason}; \`enable\` it first`)
}

/** When it is tried next is of interest only while it will be. */
const deliveryText = ({ next_attempt_at, ...delivery }: DeliveryRow) => ({
  ...delivery,
  next_attempt_at: delivery.state === 'pending' ? next_attempt_at : null,
})

const testEvent = (webhook: string, at: Date) => ({
  specversion: '1.0',
  id: uuidv7(),
  source: '//atom/feeds',
  type: 'webhook.test',
  time: at.toISOString(),
  datacontenttype: 'application/json',
  data: { webhook_id: webhook },
})
