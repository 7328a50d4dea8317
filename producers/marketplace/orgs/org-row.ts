import { isOperator, type Principal } from '../../../platform/auth/principal.ts'
import { row, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'

/** An organisation as stored. */
export type OrgRow = {
  org: string
  display_name: string
  kind: 'operator' | 'member'
  currency: string | null
  created_at: Date
  suspended_at: Date | null
  suspended_reason: string | null
  suspended_by: string | null
}

export const orgColumns = 'org, display_name, kind, currency, created_at, suspended_at, suspended_reason, suspended_by'

/** One organisation. What the scope does not see is answered like what does not exist. */
export async function findOrg(tx: Tx, id: string): Promise<OrgRow> {
  const found = await row<OrgRow>(tx, `select ${orgColumns} from platform.orgs where org = ?`, [id])
  if (!found) throw httpError('not_found', 'no organisation with this id')
  return found
}

/** An organisation as it is shown. Who of the operator suspended it is for the operator. */
export const orgOf = (org: OrgRow, reader: Principal) => ({
  id: org.org,
  name: org.display_name,
  kind: org.kind,
  currency: org.currency,
  status: org.suspended_at ? 'suspended' : 'active',
  suspended:
    org.suspended_at === null
      ? null
      : {
          at: org.suspended_at.toISOString(),
          reason: org.suspended_reason,
          ...(isOperator(reader) ? { by: org.suspended_by } : {}),
        },
  created_at: org.created_at.toISOString(),
})
