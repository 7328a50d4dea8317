import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { keyError } from '../errors.ts'
import type { Vault } from './vault-http.ts'

/** How the marketplace shows who it is. Files are read at each login, so that whoever writes them may renew them. */
export type Login =
  | { kind: 'token'; read: () => Promise<string> }
  | { kind: 'approle'; roleId: string; readSecretId: () => Promise<string> }
/** Does `work` once after `ms`; what it returns takes that back. */
export type Schedule = (ms: number, work: () => void) => () => void

export type Session = {
  /** The token in use; logs in when there is none. Throws `key_store_denied` and what a call throws. */
  token(signal: AbortSignal): Promise<string>
  /** It was accepted. */
  worked(token: string): void
  /** It was refused: true when asking again with `token()` may help. */
  refused(token: string): boolean
  close(): void
}
type Lease = { token: string; seconds: number; renewable: boolean }
type Held = Lease & { worked: boolean }
type Options = { vault: Vault; login: Login; schedule: Schedule; log: Log }

/** Renewed at this share of its life, so that two more attempts fit in before the end. */
const RENEW_AT = 2 / 3
const RETRY_MS = 30_000
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Logs in when needed, renews before the end, and logs in again when the token is gone. */
export function openSession({ vault, login, schedule, log }: Options): Session {
  let held: Held | null = null
  let opening: Promise<Held> | null = null
  let cancel = () => {}
  let closed = false

  function open(signal: AbortSignal): Promise<Held> {
    opening ??= logIn(vault, login, signal)
      .then((lease) => {
        held = { ...lease, worked: false }
        plan(held, held.seconds * RENEW_AT * 1_000)
        return held
      })
      .finally(() => {
        opening = null
      })
    return opening
  }

  function plan(lease: Held, ms: number): void {
    cancel()
    // 0 seconds is a token without an end.
    if (closed || lease.seconds === 0) return
    if (login.kind === 'token' && !lease.renewable) return
    const wait = Math.min(Math.max(1_000, ms), LONGEST_TIMER_MS)
    cancel = schedule(wait, () => void renew(lease))
  }

  async function renew(lease: Held): Promise<void> {
    if (closed || held !== lease) return
    try {
      const renewed = lease.renewable ? await askRenewal(vault, lease.token) : null
      if (closed || held !== lease) return
      // A grant that shrinks is at the end of what the role allows: a new login in time, while this token still counts.
      if (login.kind === 'approle' && (renewed === null || renewed.seconds < lease.seconds / 2)) {
        await open(AbortSignal.timeout(RETRY_MS))
        return
      }
      if (renewed === null) held = null
      else {
        if (renewed.seconds < lease.seconds / 2) log.warn('the token of the key store ends soon and cannot be renewed')
        plan(lease, renewed.seconds * RENEW_AT * 1_000)
      }
    } catch (error) {
      log.warn('the token of the key store was not renewed', { error: messageOf(error) })
      if (held === lease) plan(lease, Math.min(RETRY_MS, (lease.seconds * 1_000) / 6))
    }
  }

  return {
    token: async (signal) => (held ?? (await open(signal))).token,
    worked(token) {
      if (held?.token === token) held.worked = true
    },
    refused(token) {
      // Somebody else has logged in since.
      if (held === null || held.token !== token) return true
      // A token just made that is refused means a policy that does not fit: a login for every call would only pile up
      // leases. A token that is read costs nothing to read again.
      const mayHelp = held.worked || login.kind === 'token'
      if (mayHelp) {
        cancel()
        held = null
      }
      return mayHelp
    },
    close() {
      closed = true
      cancel()
    },
  }
}

async function logIn(vault: Vault, login: Login, signal: AbortSignal): Promise<Lease> {
  if (login.kind === 'token') return lookUp(vault, await login.read(), signal)
  const body = { role_id: login.roleId, secret_id: await login.readSecretId() }
  const reply = await vault.call('POST', 'auth/approle/login', { body, signal })
  const lease = reply.status === 200 ? leaseIn(reply.body) : null
  if (lease) return lease
  throw keyError('key_store_denied', 'the key store refuses the AppRole login')
}

/** A token that may not ask about itself is used as it is, and not renewed. */
async function lookUp(vault: Vault, token: string, signal: AbortSignal): Promise<Lease> {
  const { status, body } = await vault.call('GET', 'auth/token/lookup-self', { token, signal })
  const data = status === 200 && typeof body.data === 'object' ? (body.data as Record<string, unknown>) : {}
  return { token, seconds: typeof data.ttl === 'number' ? data.ttl : 0, renewable: data.renewable === true }
}

async function askRenewal(vault: Vault, token: string): Promise<Lease | null> {
  const { status, body } = await vault.call('POST', 'auth/token/renew-self', { token, body: {} })
  return status === 200 ? leaseIn(body) : null
}

function leaseIn(body: Record<string, unknown>): Lease | null {
  const { client_token, lease_duration, renewable } = (body.auth ?? {}) as Record<string, unknown>
  if (typeof client_token !== 'string' || client_token === '' || typeof lease_duration !== 'number') return null
  return { token: client_token, seconds: lease_duration, renewable: renewable === true }
}
