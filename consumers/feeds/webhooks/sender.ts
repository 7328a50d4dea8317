import { setTimeout } from 'node:timers/promises'
import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import type { FeedDeps } from '../deps.ts'
import { type CallResult, callWebhook } from './call-webhook.ts'
import { beginAttempt, type Claimed, dueWebhooks, type Ended, endAttempt, type WebhookKey } from './delivery-rows.ts'
import { signedHeaders } from './sign-call.ts'

export type Call = typeof callWebhook
export type Sender = {
  /** Begins with every webhook that has something due and is not being called; how many are being called then. */
  tick(): Promise<number>
  /** All calls under way. */
  idle(): Promise<void>
  stop(): Promise<void>
}
type SenderDeps = Pick<FeedDeps, 'allOrgs' | 'now' | 'random' | 'log' | 'box' | 'addresses'> & {
  call?: Call
  ended?: (outcome: string) => void
}

/** So many webhooks are called at a time, each with one call: a slow one keeps nobody waiting but itself. */
const MOST_LANES = 64
/** After so many calls a webhook lets the others have a turn. */
const LANE_CALLS = 50
const STOP_GRACE_MS = 500

/** Calls webhooks, in any number of processes at once: a delivery belongs to whoever counted its attempt. */
export function openSender(deps: SenderDeps): Sender {
  const { allOrgs, now, log } = deps
  const lanes = new Map<string, Promise<void>>()
  let stopping = false

  async function tick(): Promise<number> {
    const free = MOST_LANES - lanes.size
    if (free <= 0 || stopping) return lanes.size
    for (const webhook of await dueWebhooks(allOrgs, [...lanes.keys()], now(), free)) {
      const lane = runLane(webhook).finally(() => lanes.delete(webhook.id))
      lanes.set(webhook.id, lane)
    }
    return lanes.size
  }

  async function runLane(webhook: WebhookKey): Promise<void> {
    try {
      for (let n = 0; n < LANE_CALLS && !stopping; n += 1) {
        const claimed = await beginAttempt(allOrgs, webhook, now())
        if (claimed === null) return
        fault('webhooks.after-begin')
        await deliver(deps, claimed)
      }
    } catch (error) {
      if (!stopping) log.warn('calling of a webhook failed on our side', { ...webhook, error: messageOf(error) })
    }
  }

  const idle = async () => {
    while (lanes.size > 0) await Promise.all(lanes.values())
  }
  return {
    tick,
    idle,
    async stop() {
      stopping = true
      // A call may take longer than a stop may; its delivery is due again when the lease is over.
      await Promise.race([idle(), setTimeout(STOP_GRACE_MS, undefined, { ref: false })])
    },
  }
}

async function deliver(deps: SenderDeps, claimed: Claimed): Promise<void> {
  const { allOrgs, now, random, log, ended: told = () => {} } = deps
  const ended = await attempt(deps, claimed)
  fault('webhooks.after-call')
  const state = await endAttempt(allOrgs, claimed, ended, random(), now())
  fault('webhooks.after-end')
  told(ended.ok ? 'delivered' : (ended.code ?? 'failed'))
  if (!ended.ok) {
    const { org, webhook_id, id, attempts } = claimed
    log[ended.ours ? 'error' : 'info']('webhook call failed', {
      ...{ org, webhook_id, delivery: id, attempts, state, code: ended.code, detail: ended.detail },
    })
  }
}

async function attempt({ box, addresses, now, call = callWebhook }: SenderDeps, claimed: Claimed): Promise<Ended> {
  const { org, webhook_id, event_id: id, url, body, sealed } = claimed
  if (body === null) return failed('event_expired', 'the feed does not hold the event any more')
  let secrets: Buffer[]
  try {
    secrets = sealed.map((one) => box.open(one, `${org}/${webhook_id}`))
  } catch {
    return failed('secret_unreadable', 'its secret was sealed with another key')
  }
  return call({ url, body, headers: signedHeaders({ id, body, at: now() }, secrets) }, { rules: addresses })
}

const failed = (code: string, detail: string): CallResult & { ours: true } => ({
  ...{ ok: false, status: null, code, detail, retryAfterMs: 0, ours: true },
})
