import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { type Db, row } from '../db.ts'

/** Why an organisation is suspended, or null. */
export type OrgState = { suspended: string | null }
export type OrgStates = (org: string) => Promise<OrgState | undefined>

/** Every process follows a suspension within 5 s: this old may a state be, and this long may reading it anew take. */
const FRESH_MS = 2_000
const READ_MS = 1_000
const MOST = 10_000

/**
 * The state of an organisation, at most two seconds old; undefined when there is none. Who was seen before goes on as
 * it was known while the database is out of reach: on Kafka a report needs no database.
 */
export function createOrgStates(db: Db, now: Clock): OrgStates {
  type Known = { state: OrgState; readAt: number }
  const known = new Map<string, Known>()
  const reading = new Map<string, Promise<OrgState | undefined>>()

  async function read(org: string): Promise<OrgState | undefined> {
    const readAt = now().getTime()
    const found = await db.transaction(
      (tx) =>
        row<{ suspended: string | null }>(tx, 'select suspended_reason as suspended from platform.orgs where org = ?', [
          org,
        ]),
      { scope: { org, operator: false } },
    )
    // Organisations are never removed, so only what is there is worth remembering.
    if (!found) return undefined
    if (known.size >= MOST && !known.has(org)) known.delete(known.keys().next().value as string)
    known.set(org, { state: found, readAt })
    return found
  }

  function readOnce(org: string): Promise<OrgState | undefined> {
    const running = reading.get(org) ?? read(org).finally(() => reading.delete(org))
    reading.set(org, running)
    return running
  }

  return async (org) => {
    const before = known.get(org)
    if (!before) return readOnce(org)
    if (now().getTime() - before.readAt < FRESH_MS) return before.state
    const late = pause(READ_MS, before.state, { ref: false })
    return Promise.race([readOnce(org).catch(() => before.state), late])
  }
}
