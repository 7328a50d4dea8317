import type { Clock } from '../clock.ts'
import { type Db, row } from '../db.ts'
import { rememberShortly } from './short-memory.ts'

/** Why an organisation is suspended, or null. */
export type OrgState = { suspended: string | null }

/** The state of an organisation, a few seconds old at most; undefined when there is none. */
export const createOrgStates = (db: Db, now: Clock): ((org: string) => Promise<OrgState | undefined>) =>
  rememberShortly(
    (org) =>
      db.transaction(
        (tx) => row<OrgState>(tx, 'select suspended_reason as suspended from platform.orgs where org = ?', [org]),
        { scope: { org, operator: false } },
      ),
    now,
  )
