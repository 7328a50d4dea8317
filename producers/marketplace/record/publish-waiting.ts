import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, row, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { wpkPublished } from '../../../schemas/events/wpk.published.ts'
import { SOURCE } from '../deps.ts'
import { isSuspended, publisherListed } from '../orgs/suspended-publishers.ts'
import type { VersionRow } from '../version-row.ts'
import { signingOutage } from './signing-outage.ts'

type Deps = { db: Db; now: Clock; wake: () => void }

/**
 * True when an approved version has to wait until its decision can be signed, or its publisher may publish again, and
 * notes that it does. What is public is for good, so nothing becomes so while nobody could verify why.
 */
export async function isHeldBack(tx: Tx, { org, id }: Pick<VersionRow, 'org' | 'id'>, now: Date): Promise<boolean> {
  if (!(await signingOutage(tx)) && !(await isSuspended(tx, org))) return false
  await execute(
    tx,
    'update marketplace.versions set waits_since = ? where org = ? and id = ? and published_at is null',
    [now, org, id],
  )
  fault('waiting.after-hold')
  return true
}

/** Approved, signed by now, and its publisher is not suspended meanwhile: then it waits on. */
const RELEASED = `versions.status = 'approved' and versions.waits_since is not null and ${publisherListed}
  and not exists (
    select 1 from marketplace.to_record r join marketplace.decisions d on d.org = r.org and d.id::text = r.subject
    where r.kind = 'decision' and r.org = versions.org and d.version_id = versions.id)`

/** Publishes what waited and may be public by now, each version and its event once. Returns how many. */
export async function publishWaiting({ db, now, wake }: Deps): Promise<number> {
  const waiting = await db.query<{ org: string; id: string; name: string }>(
    `select org, id, name from marketplace.versions where ${RELEASED} order by waits_since, id limit 50`,
  )
  let published = 0
  for (const { org, id, name } of waiting) {
    const locks = [keyLock(wpkPublished.topic, name)]
    published += await db.transaction((tx) => publishOne(tx, { org, id }, now()), { locks })
  }
  if (published > 0) wake()
  return published
}

async function publishOne(tx: Tx, { org, id }: { org: string; id: string }, at: Date): Promise<number> {
  const version = await row<Pick<VersionRow, 'name' | 'version' | 'digest'>>(
    tx,
    `update marketplace.versions set status = 'published', published_at = ?, waits_since = null
     where org = ? and id = ? and ${RELEASED} returning name, version, digest`,
    [at, org, id],
  )
  // Another process was faster.
  if (!version) return 0
  fault('waiting.after-version')
  const decided = await row<{ approver: string }>(
    tx,
    `select approver from marketplace.decisions where org = ? and version_id = ? and decision = 'approve'
     order by decided_at desc limit 1`,
    [org, id],
  )
  const data = { id, org, ...version, published_at: at.toISOString(), approver: decided?.approver ?? SOURCE }
  await publish(tx, wpkPublished, [wpkPublished.create(data, { source: SOURCE, now: at, subject: version.name })])
  fault('waiting.before-commit')
  return 1
}
