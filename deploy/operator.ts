import { memberName } from '../platform/auth/members.ts'
import type { Clock } from '../platform/clock.ts'
import { type Db, execute } from '../platform/db.ts'
import type { AtomSettings } from './settings.ts'

type Settings = Pick<AtomSettings, 'operatorOrg' | 'oidcIssuers' | 'oidcAdmin'>

/**
 * Makes the operator's organisation, and its first admin where settings name one: without them nobody could make any
 * other. Repeating it changes nothing. Throws when another organisation is the operator already.
 */
export async function ensureOperator(db: Db, settings: Settings, now: Clock): Promise<void> {
  const { operatorOrg: org, oidcIssuers: [issuer] = [], oidcAdmin } = settings
  const admin = oidcAdmin === undefined ? null : memberName(oidcAdmin)
  if (oidcAdmin !== undefined && (!issuer || !admin))
    throw new Error('ATOM_OIDC_ADMIN is a subject, or email: and an address, of the first ATOM_OIDC_ISSUER')
  const at = now()
  await db.transaction(
    async (tx) => {
      await execute(
        tx,
        `insert into platform.orgs (org, display_name, kind, created_at) values (?, ?, 'operator', ?)
         on conflict do nothing`,
        [org, org === 'atom' ? 'ATOM Cloud Marketplace' : org, at],
      )
      const others = await execute(tx, "select 1 from platform.orgs where (kind = 'operator') <> (org = ?)", [org])
      if (others > 0) throw new Error(`ATOM_OPERATOR_ORG is ${org}, but this database was set up with another operator`)
      if (!admin) return
      await execute(
        tx,
        `insert into platform.members (org, issuer, subject, label, roles, created_at, changed_at, changed_by)
         select ?, ?, ?, ?, array['admin'], ?, ?, 'ATOM_OIDC_ADMIN'
         where not exists (select 1 from platform.members where org = ? and 'admin' = any(roles))
         on conflict do nothing`,
        [org, issuer as string, admin.subject, admin.label, at, at, org],
      )
    },
    { scope: { org, operator: true }, locks: [`members/${org}`] },
  )
}
