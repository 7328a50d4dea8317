import { type Db, execute, row, rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import type { CallResult } from './call-webhook.ts'
import { DISABLED_AFTER_DAYS, retryWaitMs } from './retry-schedule.ts'

export type WebhookKey = { org: string; id: string }
/** A delivery whose attempt was begun; `attempts` counts it. */
export type Claimed = {
  org: string
  webhook_id: string
  id: string
  event_id: string
  type: string
  attempts: number
  attempts_before: number
  url: string
  /** Null when the feed does not hold the event any more. */
  body: string | null
  sealed: Buffer[]
}
/** How an attempt ended; `ours` is a failure that the receiver has no part in. */
export type Ended = CallResult & { ours?: boolean }

/** Nobody else takes a delivery for so long: the longest call, and the database around it. */
const LEASE_MS = 20_000
const DAY_MS = 86_400_000

/** Webhooks that have something due, other than the busy ones, the longest waiting first. */
export const dueWebhooks = (db: Db, busy: readonly string[], now: Date, limit: number): Promise<WebhookKey[]> =>
  db.query(
    `select w.org, w.id from feeds.webhooks w cross join lateral (
       select next_attempt_at from feeds.deliveries d where d.webhook_id = w.id and d.state = 'pending'
       order by next_attempt_at limit 1) d
     where w.state = 'on' and not w.paused and d.next_attempt_at <= ? and not w.id = any(?::uuid[]) order by d.next_attempt_at limit ?`,
    [now, busy, limit],
  )

/** Counts an attempt at the next due delivery before it is made, so that the next process knows of it. */
export const beginAttempt = (db: Db, { org, id }: WebhookKey, now: Date): Promise<Claimed | null> =>
  db.transaction(async (tx) => {
    const begun = await row<Omit<Claimed, 'sealed'>>(
      tx,
      `with due as (
         select d.id from feeds.deliveries d join feeds.webhooks w on w.org = d.org and w.id = d.webhook_id
         where d.webhook_id = ? and d.state = 'pending' and d.next_attempt_at <= ? and w.state = 'on' and not w.paused
         order by d.next_attempt_at, d.id limit 1 for update of d skip locked),
       begun as (update feeds.deliveries d set attempts = d.attempts + 1, next_attempt_at = ?
         from due where d.org = ? and d.webhook_id = ? and d.id = due.id returning d.*),
       noted as (insert into feeds.attempts (org, webhook_id, delivery_id, attempt, begun_at)
         select org, webhook_id, id, attempts, ? from begun)
       select b.org, b.webhook_id, b.id::text, b.event_id, b.type, b.attempts, b.attempts_before, w.url,
         coalesce(b.body, e.event) as body
       from begun b join feeds.webhooks w on w.org = b.org and w.id = b.webhook_id
         left join feeds.events e on e.seq = b.seq`,
      [id, now, new Date(now.getTime() + LEASE_MS), org, id, now],
    )
    if (!begun) return null
    const secrets = await rows<{ sealed: Buffer }>(
      tx,
      `select sealed from feeds.webhook_secrets where org = ? and webhook_id = ? and (expires_at is null or expires_at > ?)
       order by id desc`,
      [org, id, now],
    )
    return { ...begun, sealed: secrets.map(({ sealed }) => sealed) }
  })

/** Records how an attempt ended. One whose lease ran out only keeps its own record: another attempt decides. */
export const endAttempt = (db: Db, claimed: Claimed, ended: Ended, random: number, now: Date): Promise<string> =>
  db.transaction(async (tx) => {
    const { org, webhook_id, id, attempts } = claimed
    // First of all rows, everywhere: two ends of one webhook, one of which disables it, must not wait for each other.
    const webhook = await row<{ failing_since: Date | null }>(
      tx,
      'select failing_since from feeds.webhooks where org = ? and id = ? for no key update',
      [org, webhook_id],
    )
    if (!webhook) return 'deleted'
    await execute(
      tx,
      `update feeds.attempts set ended_at = ?, status = ?, code = ?, detail = ?
       where org = ? and webhook_id = ? and delivery_id = ? and attempt = ?`,
      [now, ended.status, ended.code, ended.detail, org, webhook_id, id, attempts],
    )
    fault('webhooks.after-attempt')
    const wait = retryWaitMs(attempts - claimed.attempts_before, random, ended.retryAfterMs)
    const state = ended.ok ? 'delivered' : wait === null || ended.code === 'event_expired' ? 'dead' : 'pending'
    const changed = await execute(
      tx,
      `update feeds.deliveries set state = ?, last_status = ?, last_error = ?, next_attempt_at = ?, ended_at = ?
       where org = ? and webhook_id = ? and id = ? and state = 'pending' and attempts = ?`,
      [
        ...[state, ended.status, ended.code, new Date(now.getTime() + (wait ?? 0)), state === 'pending' ? null : now],
        ...[org, webhook_id, id, attempts],
      ],
    )
    if (changed === 0) return 'overtaken'
    if (!ended.ours) await judgeWebhook(tx, claimed, webhook.failing_since, ended, now)
    return state
  })

/** A webhook that never answers, or is gone by its own word, is not called any more. */
async function judgeWebhook(tx: Tx, { org, webhook_id }: Claimed, since: Date | null, ended: Ended, now: Date) {
  const failingSince = ended.ok ? null : (since ?? now)
  if (failingSince?.getTime() !== since?.getTime())
    await execute(tx, 'update feeds.webhooks set failing_since = ? where org = ? and id = ?', [
      failingSince,
      org,
      webhook_id,
    ])
  if (failingSince === null) return
  const failedFor = now.getTime() - failingSince.getTime()
  if (ended.status === 410) await disable(tx, { org, id: webhook_id }, 'it answered 410: it is gone', now)
  else if (failedFor >= DISABLED_AFTER_DAYS * DAY_MS)
    await disable(tx, { org, id: webhook_id }, `every call failed for ${DISABLED_AFTER_DAYS} days: ${ended.code}`, now)
}

async function disable(tx: Tx, { org, id }: WebhookKey, reason: string, now: Date): Promise<void> {
  await execute(
    tx,
    `update feeds.webhooks set state = 'disabled', disabled_reason = ?, disabled_at = ? where org = ? and id = ?`,
    [reason, now, org, id],
  )
  await execute(
    tx,
    `update feeds.deliveries set state = 'dead', last_error = 'webhook_disabled', ended_at = ?
     where org = ? and webhook_id = ? and state = 'pending'`,
    [now, org, id],
  )
}
