import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import { groupBy } from '../rating/group-by.ts'
import type { PaymentDeps } from './deps.ts'
import { GatewayError, type PaymentGateway } from './gateway.ts'
import { identifierOf } from './meter-errors.ts'
import { beginWindow, dueWindows, endWindow, giveUp, type WindowKey, type WindowSend } from './meter-sends.ts'
import { finishPlan, planTenant, tenantsOf, unplannedMeters } from './meter-store.ts'
import { MOST_ATTEMPTS, retryDelayMs } from './retry-delay.ts'
import { customerOf, rememberCustomer } from './sends.ts'
import { hourOf } from './whole-hours.ts'

/** How long an hour may still get usage before it is cut. Stripe closes a month an hour after its end. */
const SETTLE_MS = 15 * 60_000
const DUE_LIMIT = 200
/** Tenants at once: Stripe takes one call at a time for a customer and meter. */
const AT_ONCE = 8

/**
 * Cuts closed hours into windows, then tells Stripe's meters what is due. One process does so at a time. Returns how
 * many were taken.
 */
export async function sendMeterEvents(deps: PaymentDeps): Promise<number> {
  if (!deps.leads()) return 0
  await planWindows(deps)
  const { gateway } = deps
  if (gateway === null) return 0
  let taken = 0
  while (deps.leads()) {
    const lost = await giveUp(deps.allTenants, deps.now())
    if (lost > 0) deps.log.error('usage can no longer be told to Stripe', { windows: lost })
    const queues = [
      ...groupBy(await dueWindows(deps.allTenants, deps.now(), DUE_LIMIT), ({ tenant }) => tenant).values(),
    ]
    const results = await Promise.all(
      Array.from({ length: AT_ONCE }, () => takeTurns(queues, (queue) => sendQueue(deps, gateway, queue))),
    )
    const now = results.reduce((sum, one) => sum + one, 0)
    taken += now
    // Where nothing is taken, the next run comes soon enough.
    if (now === 0) break
  }
  return taken
}

async function planWindows({ allTenants, now, gateway, leads }: PaymentDeps): Promise<void> {
  const until = hourOf(new Date(now().getTime() - SETTLE_MS))
  for (const meter of await unplannedMeters(allTenants, until)) {
    for (const tenant of await tenantsOf(allTenants, meter)) {
      if (!leads()) return
      await planTenant(allTenants, meter, tenant, { until, now: now(), dry: gateway === null })
      fault('payments.meters-after-plan')
    }
    await finishPlan(allTenants, meter, until)
  }
}

async function takeTurns<T>(queues: T[], work: (queue: T) => Promise<number>): Promise<number> {
  let done = 0
  for (let next = queues.shift(); next !== undefined; next = queues.shift()) done += await work(next)
  return done
}

async function sendQueue(deps: PaymentDeps, gateway: PaymentGateway, queue: readonly WindowKey[]): Promise<number> {
  let taken = 0
  for (const key of queue) {
    if (!deps.leads()) break
    const send = await beginWindow(deps.allTenants, key, deps.now())
    if (!send) continue
    fault('payments.meters-after-begin')
    if (await sendOne(deps, gateway, send)) taken += 1
  }
  return taken
}

async function sendOne(deps: PaymentDeps, gateway: PaymentGateway, send: WindowSend): Promise<boolean> {
  try {
    const event = {
      name: send.event_name,
      customer: await customerAt(deps, gateway, send),
      value: send.value,
      at: send.at,
      identifier: identifierOf(send.id, send.identifier_no),
    }
    // A duplicate was told by a try whose answer was lost.
    await gateway.sendMeterEvent(event, `atom/meter/${send.id}/${send.key_generation}`)
    fault('payments.meters-after-send')
  } catch (error) {
    await noteFailure(deps, send, error)
    return false
  }
  const sent = { state: 'sent', code: null, nextAttemptAt: deps.now(), newKey: false, refused: false } as const
  return (await endWindow(deps.allTenants, send, sent, deps.now())) === 1
}

/** The key is the one that sending invoices has, so that both at once make one customer. */
async function customerAt(
  { allTenants }: PaymentDeps,
  gateway: PaymentGateway,
  { tenant, key_generation }: WindowSend,
) {
  const known = await customerOf(allTenants, tenant)
  if (known !== null) return known
  const attempt = { key: `atom/${tenant}/customer/${key_generation}`, look: true }
  const made = await gateway.ensureCustomer({ tenant }, attempt)
  await rememberCustomer(allTenants, tenant, made)
  return (await customerOf(allTenants, tenant)) ?? made
}

async function noteFailure(deps: PaymentDeps, send: WindowSend, error: unknown): Promise<void> {
  const { kind, code, retryAfterMs, refused } =
    error instanceof GatewayError
      ? error
      : { kind: 'retry' as const, code: 'internal', retryAfterMs: 0, refused: false }
  const over = kind === 'permanent' || send.attempts >= MOST_ATTEMPTS
  const now = deps.now()
  deps.log[over ? 'error' : 'warn']('telling usage to Stripe failed', {
    tenant: send.tenant,
    window: send.id,
    attempts: send.attempts,
    code,
    ...(code === 'internal' ? { error: messageOf(error) } : {}),
  })
  const nextAttemptAt = new Date(now.getTime() + retryDelayMs(send.attempts, deps.random(), retryAfterMs))
  const state = over ? 'failed' : 'pending'
  await endWindow(deps.allTenants, send, { state, code, nextAttemptAt, newKey: kind === 'spent', refused }, now)
}
