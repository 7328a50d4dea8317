import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { newTrace } from '../../../platform/trace.ts'
import { rescanRequested } from '../../../schemas/events/rescan.requested.ts'
import type { Origin } from '../../../schemas/origin.ts'
import { olderAlike } from '../catalog/older-alike.ts'
import { SOURCE } from '../deps.ts'
import type { TrustRoot } from '../trust/trust-root.ts'
import { originNow, type SignedVersion } from './origin-now.ts'

/** As many as the analyzer has before it at once: an upload that comes now waits for no more than these. */
const MOST_OPEN = 4
/** After this an unanswered request counts as lost to the pace; its answer is still welcome. */
const PATIENCE_MS = 10 * 60_000
/** A submitted version whose verdict is younger than this is live, and comes first. */
const LIVE_MS = 120_000
const MINUTE_MS = 60_000

type Deps = { db: Db; now: Clock; wake: () => void; perMinute: number; trustRoot: () => TrustRoot }
type Wanted = {
  org: string
  id: string
  rescan: string
  name: string
  version: string
  digest: string
  media_type: string
} & Pick<SignedVersion, 'signature_form' | 'signature' | 'submitted_at'>

/**
 * Asks for new verdicts on the next versions of the round: at most `perMinute`, few at once, and none while an upload waits
 * for its verdict. What was asked is asked once, whoever dies; returns how many.
 */
export async function requestRescans({ db, now, wake, perMinute, trustRoot }: Deps): Promise<number> {
  const at = now()
  const room = await roomFor(db, at, perMinute)
  if (room <= 0) return 0
  const next = await db.query<{ name: string; id: string }>(
    `select v.name, v.id from marketplace.rescanned_versions r
     join marketplace.versions v on v.org = r.org and v.id = r.version_id
     where r.state = 'waiting' order by r.place limit ?`,
    [room],
  )
  if (next.length === 0) return 0
  // The keys of the events, before anything gives the transaction its id.
  const locks = next.map(({ name }) => keyLock(rescanRequested.topic, name))
  const originOf = async (tx: Tx, version: Wanted): Promise<Origin> => ({
    ...(await originNow(tx, version, trustRoot)),
    ...(await olderAlike({ query: (sql, bindings) => rows(tx, sql, bindings) })(version.org, version.name)),
  })
  const asked = await db.transaction(
    (tx) =>
      ask(
        tx,
        next.map(({ id }) => id),
        { at, originOf },
      ),
    { locks },
  )
  if (asked > 0) wake()
  return asked
}

type Asking = { at: Date; originOf: (tx: Tx, version: Wanted) => Promise<Origin> }

async function ask(tx: Tx, ids: readonly string[], { at, originOf }: Asking): Promise<number> {
  const wanted = await rows<Wanted>(
    tx,
    `with next as (
       select org, rescan_id, version_id from marketplace.rescanned_versions
       where state = 'waiting' and version_id = any(?::uuid[]) order by place for update skip locked)
     update marketplace.rescanned_versions r set state = 'asked', asked_at = ?
     from next, marketplace.versions v
     where r.org = next.org and r.rescan_id = next.rescan_id and r.version_id = next.version_id
       and v.org = r.org and v.id = r.version_id
     returning r.org, r.version_id as id, r.rescan_id as rescan, v.name, v.version, v.digest, v.media_type,
       v.signature_form, v.signature, v.submitted_at`,
    [ids, at],
  )
  const events = []
  for (const one of wanted) {
    const { signature_form, signature, submitted_at, ...data } = one
    const options = { source: SOURCE, now: at, subject: data.name, traceparent: newTrace() }
    events.push(rescanRequested.create({ ...data, origin: await originOf(tx, one) }, options))
  }
  await publish(tx, rescanRequested, events)
  fault('rescan.before-commit')
  return wanted.length
}

async function roomFor(db: Db, at: Date, perMinute: number): Promise<number> {
  const ago = (ms: number) => new Date(at.getTime() - ms)
  const [found] = await db.query<{ open: number; lately: number; live: boolean }>(
    `select
       (select count(*)::int from marketplace.rescanned_versions where state = 'asked' and asked_at > ?) as open,
       (select count(*)::int from marketplace.rescanned_versions where asked_at > ?) as lately,
       exists (select 1 from marketplace.versions where status = 'submitted' and submitted_at > ?) as live`,
    [ago(PATIENCE_MS), ago(MINUTE_MS), ago(LIVE_MS)],
  )
  if (found === undefined || found.live) return 0
  return Math.min(MOST_OPEN - found.open, perMinute - found.lately)
}
