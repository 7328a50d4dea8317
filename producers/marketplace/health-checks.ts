import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import { AppError, messageOf } from '../../platform/errors.ts'
import type { CheckResult, HealthCheck } from '../../platform/http/health.ts'
import type { OpenKey } from '../../platform/keys/open-key.ts'
import type { TrustRoot } from './trust/trust-root.ts'

/** A change is recorded within a second or two; a key that is out of reach for a moment is no reason for alarm. */
const BEHIND_MS = 60_000

/** Warns while verdicts and decisions wait to be signed for longer than a minute: the key cannot be reached. */
export const recordCheck = (db: Db, now: Clock): HealthCheck => ({
  name: 'record',
  async run() {
    const [found] = await db.query<{ waiting: number; since: Date | null }>(
      'select count(*)::int as waiting, min(at) as since from marketplace.to_record',
    )
    const { waiting = 0, since = null } = found ?? {}
    if (since === null || now().getTime() - since.getTime() < BEHIND_MS) return { status: 'ok' }
    const detail = `${waiting} verdicts, decisions or changes of signers wait to be signed; the log says why`
    return { status: 'warning', code: 'record_behind', detail }
  },
})

/** Asked of the key store at most this often, however many ask for health. */
const ASK_MS = 5_000

/**
 * Whether the marketplace could sign now, and if not why. Warns only: uploads and reviews go on, and what they lead to
 * is signed later. A key store that is sealed would else take every instance out of service.
 */
export function signingKeyCheck({ check }: Pick<OpenKey, 'check'>, now: Clock): HealthCheck {
  let last: { at: number; result: Promise<CheckResult> } | undefined
  const ask = () =>
    check().then(
      (detail): CheckResult => ({ status: 'ok', detail }),
      (error: unknown): CheckResult => {
        const { cause } = error as { cause?: unknown }
        if (error instanceof AppError)
          return { status: 'warning', code: error.code, detail: error.message, cause: messageOf(cause ?? error) }
        const detail = 'the signing key cannot be used; the log says why'
        return { status: 'warning', code: 'key_unusable', detail, cause: messageOf(error) }
      },
    )
  return {
    name: 'signing key',
    run() {
      const at = now().getTime()
      if (!last || at - last.at >= ASK_MS || at < last.at) last = { at, result: ask() }
      return last.result
    },
  }
}

/** Says how old the trusted root is and what of it is not used; it fails nothing, since old parts stay valid. */
export const trustRootCheck = (root: () => TrustRoot): HealthCheck => ({
  name: 'trusted root',
  async run() {
    const { material, left } = root()
    const starts = Object.values(material).flatMap((parts) => parts.map(({ validFor }) => validFor.start.getTime()))
    const newest = new Date(Math.max(...starts)).toISOString().slice(0, 10)
    return {
      status: 'ok',
      detail: `its newest part is of ${newest}${left.length > 0 ? `, ${left.length} not used` : ''}`,
    }
  },
})
