import { Type } from '@sinclair/typebox'
import { uuidv7 } from 'uuidv7'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed } from '../../../schemas/envelope.ts'
import type { FeedDeps } from '../deps.ts'
import { feedError } from '../errors.ts'
import { typePatterns } from '../told-events.ts'
import { urlFault } from './addresses.ts'
import { newSecret, SECRET_PATTERN, secretBytes, secretText } from './sign-call.ts'
import { findWebhook, WEBHOOK_COLUMNS, type WebhookRow, webhookText } from './webhook-text.ts'

const MOST_WEBHOOKS = 10
const MOST_SECRETS = 4
const OVERLAP_HOURS = 24
const HOUR_MS = 3_600_000

const Secret = Type.String({ pattern: SECRET_PATTERN })
const WebhookBody = closed({
  url: Type.String({ minLength: 1, maxLength: 2048 }),
  types: Type.Optional(
    Type.Array(Type.Union(typePatterns.map((one) => Type.Literal(one))), { minItems: 1, uniqueItems: true }),
  ),
  secret: Type.Optional(Secret),
})
const RotationBody = closed({
  secret: Type.Optional(Secret),
  overlap_hours: Type.Optional(Type.Integer({ minimum: 0, maximum: 168 })),
})
export const webhookAccess = { roles: ['partner', 'tenant'] } as const

/** Webhooks of the caller's organisation. A secret is in the answer that makes it and in no other. */
export function webhookRoutes(deps: Pick<FeedDeps, 'db' | 'now' | 'box' | 'addresses'>): Route[] {
  const inOrg = <T>(call: Call, work: (tx: Tx) => Promise<T>, locked = false): Promise<T> =>
    deps.db.transaction(work, {
      scope: { ...scopeOf(call.principal), operator: false },
      ...(locked ? { locks: [`webhooks/${call.principal.org}`] } : {}),
    })

  async function create(call: Call): Promise<Answer> {
    const { url: text, types, secret: given } = checked(WebhookBody, jsonBody(call))
    const fault = urlFault(text, deps.addresses)
    if (fault !== null)
      throw feedError('webhook_url_refused', `/url ${fault}`, {
        errors: [{ pointer: '/url', code: 'url', detail: fault }],
      })
    const { org, subject } = call.principal
    const url = new URL(text).href
    const id = uuidv7()
    const secret = secretOf(given)
    const now = deps.now()
    const made = await inOrg(
      call,
      async (tx) => {
        const all = await rows<{ url: string }>(tx, 'select url from feeds.webhooks where org = ?', [org])
        if (all.some((one) => one.url === url))
          throw feedError('webhook_exists', 'it is in the list; `rotate-secret` gives it a new secret')
        if (all.length >= MOST_WEBHOOKS)
          throw feedError('too_many_webhooks', `an organisation has at most ${MOST_WEBHOOKS} webhooks`)
        await execute(
          tx,
          'insert into feeds.webhooks (org, id, url, types, created_by, created_at) values (?, ?, ?, ?, ?, ?)',
          [org, id, url, types ?? null, subject, now],
        )
        await addSecret(tx, { org, id }, secret)
        return findWebhook(tx, org, id)
      },
      true,
    )
    return { status: 201, body: { ...webhookText(made), secret: secretText(secret) } }
  }

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const found = await inOrg(call, (tx) =>
      rows<WebhookRow>(
        tx,
        `select ${WEBHOOK_COLUMNS} from feeds.webhooks w
         where w.org = ? ${after === null ? '' : 'and w.id < ?::uuid'} order by w.id desc limit ?`,
        [call.principal.org, ...(after ?? []), limit + 1],
      ),
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { webhooks: items.map(webhookText), next },
    }
  }

  async function show(call: Call): Promise<Answer> {
    const found = await inOrg(call, (tx) => findWebhook(tx, call.principal.org, call.params.id))
    return { status: 200, body: webhookText(found) }
  }

  async function remove(call: Call): Promise<Answer> {
    await inOrg(call, async (tx) => {
      const { org, id } = await findWebhook(tx, call.principal.org, call.params.id)
      await execute(tx, 'delete from feeds.webhooks where org = ? and id = ?', [org, id])
    })
    return { status: 204 }
  }

  /** The secrets so far sign beside the new one until the overlap is over, also when this is asked for again. */
  async function rotate(call: Call): Promise<Answer> {
    const { secret: given, overlap_hours: hours = OVERLAP_HOURS } = checked(RotationBody, jsonBody(call))
    const secret = secretOf(given)
    const now = deps.now()
    const until = new Date(now.getTime() + hours * HOUR_MS)
    const id = await inOrg(
      call,
      async (tx) => {
        const webhook = await findWebhook(tx, call.principal.org, call.params.id)
        const valid = await rows(
          tx,
          `select id from feeds.webhook_secrets where org = ? and webhook_id = ?
           and (expires_at is null or expires_at > ?)`,
          [webhook.org, webhook.id, now],
        )
        if (hours > 0 && valid.length >= MOST_SECRETS)
          throw feedError('too_many_secrets', `${MOST_SECRETS} sign already; \`"overlap_hours": 0\` ends them`)
        await execute(
          tx,
          `update feeds.webhook_secrets set expires_at = least(coalesce(expires_at, ?), ?) where org = ? and webhook_id = ?`,
          [until, until, webhook.org, webhook.id],
        )
        await addSecret(tx, webhook, secret)
        return webhook.id
      },
      true,
    )
    return { status: 200, body: { id, secret: secretText(secret), old_secrets_sign_until: until } }
  }

  async function enable(call: Call): Promise<Answer> {
    const enabled = await inOrg(call, async (tx) => {
      const { org, id } = await findWebhook(tx, call.principal.org, call.params.id)
      await execute(
        tx,
        `update feeds.webhooks set state = 'on', disabled_reason = null, disabled_at = null, failing_since = null
         where org = ? and id = ? and state = 'disabled'`,
        [org, id],
      )
      return findWebhook(tx, org, id)
    })
    return { status: 200, body: webhookText(enabled) }
  }

  const addSecret = (tx: Tx, { org, id }: { org: string; id: string }, secret: Uint8Array) =>
    execute(tx, 'insert into feeds.webhook_secrets (org, webhook_id, id, sealed, created_at) values (?, ?, ?, ?, ?)', [
      org,
      id,
      uuidv7(),
      deps.box.seal(secret, `${org}/${id}`),
      deps.now(),
    ])

  const access = webhookAccess
  const on = '/webhooks/:id'
  return [
    { method: 'POST', path: '/webhooks', summary: 'Have an address called with what happens', access, handle: create },
    { method: 'GET', path: '/webhooks', summary: 'Webhooks of the organisation', access, handle: list },
    { method: 'GET', path: on, summary: 'A webhook', access, handle: show },
    { method: 'DELETE', path: on, summary: 'Remove a webhook', access, handle: remove },
    { method: 'POST', path: `${on}/rotate-secret`, summary: 'Give a webhook a new secret', access, handle: rotate },
    { method: 'POST', path: `${on}/enable`, summary: 'Call a disabled webhook again', access, handle: enable },
  ]
}

function secretOf(given: string | undefined): Uint8Array {
  const secret = given === undefined ? newSecret() : secretBytes(given)
  if (secret !== null) return secret
  const detail = 'is not `whsec_` and base64 of 24 to 64 bytes'
  throw httpError('body_malformed', `/secret ${detail}`, { errors: [{ pointer: '/secret', code: 'secret', detail }] })
}
