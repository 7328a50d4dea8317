import { execute, row, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { marketplaceError } from '../errors.ts'
import type { Visibility } from './visibility.ts'

/** `claimed`: the name is new. */
type Claimed = { visibility: Visibility; claimed: boolean }
type Claim = { org: string; name: string; visibility: Visibility | undefined; now: Date }

/**
 * Makes the name the organisation's, unless it is another's or looks like one, and returns the visibility of the
 * package: as asked where the name is new. The transaction holds the lock of the name.
 */
export async function claimName(tx: Tx, { org, name, visibility, now }: Claim): Promise<Claimed> {
  const owned = await visibilityOf(tx, org, name)
  if (owned) return { visibility: owned, claimed: false }
  // Two new names that look alike must not pass each other: one new name at a time. Always the last lock taken.
  await execute(tx, "select pg_advisory_xact_lock(hashtextextended('marketplace.names', 0))")
  await execute(
    tx,
    `insert into marketplace.names (name, org, visibility, created_at) values (?, ?, ?, ?)
     on conflict (name) do nothing`,
    [name, org, visibility ?? 'public', now],
  )
  fault('upload.after-name-insert')
  // Row security hides another owner's row, so "not there after inserting" means "somebody else's".
  const claimed = await visibilityOf(tx, org, name)
  if (!claimed) throw marketplaceError('name_taken', `the name ${name} belongs to another organisation`)
  await refuseAlike(tx, org, name)
  return { visibility: claimed, claimed: true }
}

async function visibilityOf(tx: Tx, org: string, name: string): Promise<Visibility | undefined> {
  const found = await row<{ visibility: Visibility }>(
    tx,
    'select visibility from marketplace.names where name = ? and org = ?',
    [name, org],
  )
  return found?.visibility
}

async function refuseAlike(tx: Tx, org: string, name: string): Promise<void> {
  const alike = await row<{ name: string | null; public: boolean }>(
    tx,
    `select name, public from marketplace.alike_name(?, ?)
     where not exists (select 1 from marketplace.name_allowances a where a.org = ? and a.name = ?)`,
    [name, org, org, name],
  )
  if (!alike || alike.name === null) return
  const other = alike.public ? alike.name : 'a name of another organisation'
  throw marketplaceError('name_too_similar', `${name} looks like ${other}; choose another name, or ask for this one`, {
    errors: [{ pointer: '/metadata/name', code: 'name_too_similar', detail: `looks like ${other}` }],
  })
}
