import { row, type Tx } from '../../../platform/db.ts'

const SUSPENDED = 'exists (select 1 from platform.suspended_orgs s where s.org = versions.org)'

/** Column of `marketplace.versions`: whether its publisher is suspended now. */
export const publisherSuspended = `${SUSPENDED} as publisher_suspended`

/** Condition of what others are shown: newcomers find nothing of a suspended publisher. */
export const publisherListed = `not ${SUSPENDED}`

/** Whether an organisation is suspended now, for what happens by itself. */
export const isSuspended = async (tx: Tx, org: string): Promise<boolean> =>
  (await row(tx, 'select 1 from platform.suspended_orgs where org = ?', [org])) !== undefined
