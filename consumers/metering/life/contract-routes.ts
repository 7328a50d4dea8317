import { Type } from '@sinclair/typebox'
import { isOperator, scopeOf } from '../../../platform/auth/principal.ts'
import { execute, row, rows } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import { closed, OrgId } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'

const ContractBody = closed({
  partner: OrgId,
  partner_share_percent: Type.String({ pattern: '^\\d{1,2}(\\.\\d{1,6})?$|^100(\\.0{1,6})?$' }),
  effective_from: Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])-01$' }),
})
type Contract = {
  partner: string
  partner_share_percent: string
  effective_from: string
  made_by: string
  made_at: Date
}
const COLUMNS = `partner, trim_scale(partner_share_percent)::text as partner_share_percent,
  to_char(effective_from, 'YYYY-MM-DD') as effective_from, made_by, made_at`

/** Revenue-share contracts: from the first of a month still to come, so that what was shared stays shared. */
export function contractRoutes(deps: MeteringDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text', 'text'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<Contract>(
          tx,
          `select ${COLUMNS} from metering.share_contracts
           ${after ? "where (to_char(effective_from, 'YYYY-MM-DD'), partner) < (?, ?)" : ''}
           order by share_contracts.effective_from desc, partner desc limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one.effective_from, one.partner])
    const contracts = items.map(({ made_by, ...one }) => (isOperator(call.principal) ? { ...one, made_by } : one))
    const body = { default_percent: deps.partnerSharePercent, contracts, next }
    return { status: 200, headers: nextLink(call.path, call.query, next), body }
  }

  async function make(call: Call): Promise<Answer> {
    const { partner, partner_share_percent: percent, effective_from } = checked(ContractBody, jsonBody(call))
    const now = deps.now()
    const made = await deps.allTenants.transaction(async (tx) => {
      if (!(await row(tx, 'select 1 from platform.orgs where org = ?', [partner])))
        throw httpError('not_found', 'no partner with this name')
      const known = async () =>
        row<Contract>(tx, `select ${COLUMNS} from metering.share_contracts where partner = ? and effective_from = ?`, [
          partner,
          effective_from,
        ])
      const before = await known()
      if (before && before.partner_share_percent === formatDecimal(decimal(percent)))
        return { contract: before, isNew: false }
      if (effective_from.slice(0, 7) <= periodOf(now))
        throw billingError('contract_in_past', 'a contract takes effect on the first of a month that has not begun', {
          errors: [{ pointer: '/effective_from', code: 'not_a_coming_month', detail: 'is not a month still to come' }],
        })
      const isNew = await execute(
        tx,
        `insert into metering.share_contracts (partner, effective_from, partner_share_percent, made_by, made_at)
         values (?, ?, ?, ?, ?) on conflict do nothing`,
        [partner, effective_from, percent, call.principal.subject, now],
      )
      if (isNew === 0)
        throw billingError('contract_exists', `${partner} has a contract from ${effective_from} with another share`)
      return { contract: await known(), isNew: true }
    })
    return { status: made.isNew ? 201 : 200, body: made.contract }
  }

  return [
    {
      method: 'GET',
      path: '/billing/contracts',
      summary: 'Revenue-share contracts',
      access: { roles: ['finance', 'admin', 'partner'] },
      handle: list,
    },
    {
      method: 'POST',
      path: '/billing/contracts',
      summary: "Change a partner's share from a coming month on",
      access: { roles: ['finance'] },
      handle: make,
    },
  ]
}
