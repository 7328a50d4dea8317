import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import type { PaymentDeps } from './deps.ts'
import { GatewayError } from './gateway.ts'
import { MOST_ATTEMPTS, retryDelayMs } from './retry-delay.ts'

/** What became of a try. */
export type Outcome = {
  state: 'sent' | 'pending' | 'failed'
  externalId: string | null
  code: string | null
  nextAttemptAt: Date
  newKey: boolean
}

/** How the row of something that is told takes an outcome, and what goes in. */
export const OUTCOME =
  'state = ?, last_error = ?, next_attempt_at = ?, key_generation = key_generation + ?, updated_at = ?'
export const outcomeOf = ({ state, code, nextAttemptAt, newKey }: Omit<Outcome, 'externalId'>, at: Date) => [
  state,
  code,
  nextAttemptAt,
  newKey ? 1 : 0,
  at,
]

/**
 * Tries to tell who collects of one thing, whose try is counted already, and records what became of it. `names` goes to
 * the log. Never throws for what `tell` throws.
 */
export async function tellOnce(
  deps: Pick<PaymentDeps, 'log' | 'now' | 'random'>,
  { what, attempts, names }: { what: string; attempts: number; names: Record<string, string> },
  tell: () => Promise<string | null>,
  end: (outcome: Outcome, at: Date) => Promise<unknown>,
): Promise<void> {
  const now = deps.now()
  try {
    const externalId = await tell()
    fault('payments.after-credit')
    await end({ state: 'sent', externalId, code: null, nextAttemptAt: now, newKey: false }, deps.now())
  } catch (error) {
    const { kind, code, retryAfterMs } =
      error instanceof GatewayError ? error : { kind: 'retry' as const, code: 'internal', retryAfterMs: 0 }
    const over = kind === 'permanent' || attempts >= MOST_ATTEMPTS
    const more = code === 'internal' ? { error: messageOf(error) } : {}
    deps.log[over ? 'error' : 'warn'](`telling of ${what} failed`, { ...names, attempts, code, ...more })
    const nextAttemptAt = new Date(now.getTime() + retryDelayMs(attempts, deps.random(), retryAfterMs))
    const state = over ? 'failed' : 'pending'
    await end({ state, externalId: null, code, nextAttemptAt, newKey: kind === 'spent' }, now)
  }
}
