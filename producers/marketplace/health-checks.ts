import type { Clock } from '../../platform/clock.ts'
import type { Db } from '../../platform/db.ts'
import type { HealthCheck } from '../../platform/http/health.ts'
import type { TrustRoot } from './trust/trust-root.ts'

/** A change is recorded within a second or two; a key that is out of reach for a moment is no reason for alarm. */
const BEHIND_MS = 60_000

/** Fails while verdicts and decisions wait to be signed for longer than a minute: the key cannot be reached. */
export const recordCheck = (db: Db, now: Clock): HealthCheck => ({
  name: 'record',
  async run() {
    const [found] = await db.query<{ waiting: number; since: Date | null }>(
      'select count(*)::int as waiting, min(at) as since from marketplace.to_record',
    )
    const { waiting = 0, since = null } = found ?? {}
    if (since === null || now().getTime() - since.getTime() < BEHIND_MS) return { status: 'ok' }
    const detail = `${waiting} verdicts, decisions or changes of signers wait to be signed; the log says why`
    return { status: 'failed', code: 'record_behind', detail }
  },
})

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
