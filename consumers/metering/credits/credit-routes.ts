import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { row, rows, type Tx } from '../../../platform/db.ts'
import { decimal, formatDecimal } from '../../../platform/decimal.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, openGet, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { currencyDigits } from '../rating/currency.ts'
import { CREDIT_COLUMNS, type CreditRow, creditText } from './credit-text.ts'
import { deductionRoute } from './deduction-route.ts'
import { voidCredit } from './end-credit.ts'
import { creditError } from './errors.ts'
import { grantRoute } from './grant-route.ts'

const VoidBody = closed({ reason: Type.String({ minLength: 1, maxLength: 500 }) })
type Movement = {
  id: string
  kind: string
  amount: string
  invoice_id: string | null
  deduction_id: string | null
  posting_id: string
  at: Date
}

/** Prepaid credits: granted, deducted and voided by finance, seen by their tenant. */
export function creditRoutes(deps: MeteringDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const tenant = call.query.get('tenant')
    const where = [...(tenant === null ? [] : ['tenant = ?']), ...(after === null ? [] : ['id < ?::uuid'])]
    const found = await deps.db.transaction(
      (tx) =>
        rows<CreditRow>(
          tx,
          `select ${CREDIT_COLUMNS} from metering.credits
           ${where.length > 0 ? `where ${where.join(' and ')}` : ''} order by id desc limit ?`,
          [...(tenant === null ? [] : [tenant]), ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { credits: items.map(creditText), next },
    }
  }

  /** A credit with what was taken from it, the latest first and page by page. */
  async function show(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['uuid'])
    const { credit, found } = await deps.db.transaction(
      async (tx) => {
        const one = await findCredit(tx, call.params.id)
        return { credit: one, found: await movementsOf(tx, one, limit, after) }
      },
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ id }) => [id])
    const movements = items.map((one) => movementText(one, credit.currency))
    return {
      status: 200,
      headers: nextLink(call.path, call.query, next),
      body: { ...creditText(credit), movements, next },
    }
  }

  async function end(call: Call): Promise<Answer> {
    const { reason } = checked(VoidBody, jsonBody(call))
    const body = await deps.allTenants.transaction(async (tx) => {
      const { tenant, id } = await findCredit(tx, call.params.id)
      const ended = await voidCredit(tx, tenant, id, reason, deps.now())
      const now = await findCredit(tx, id)
      if (!ended && now.void_reason === null)
        throw creditError('credit_spent', 'it is used up or has expired: there is nothing to take back')
      return creditText(now)
    })
    return { status: 200, body }
  }

  return [
    openGet('/billing/credits', 'Prepaid credits', list),
    grantRoute(deps),
    deductionRoute(deps),
    openGet('/billing/credits/:id', 'A prepaid credit and what was taken from it', show),
    {
      method: 'POST',
      path: '/billing/credits/:id/void',
      summary: 'Take back what is left of a prepaid credit',
      access: { roles: ['finance'] },
      handle: end,
    },
  ]
}

async function findCredit(tx: Tx, id: string | undefined): Promise<CreditRow> {
  const found = isUuid(id ?? '')
    ? await row<CreditRow>(tx, `select ${CREDIT_COLUMNS} from metering.credits where id = ?`, [id])
    : undefined
  if (!found) throw httpError('not_found', 'no prepaid credit with this id')
  return found
}

const movementsOf = (tx: Tx, { tenant, id }: CreditRow, limit: number, after: string[] | null) =>
  rows<Movement>(
    tx,
    `select id, kind, amount::text, invoice_id, deduction_id, posting_id, at from metering.credit_movements
     where tenant = ? and credit_id = ? ${after === null ? '' : 'and id < ?::uuid'} order by id desc limit ?`,
    [tenant, id, ...(after ?? []), limit + 1],
  )

function movementText({ amount, invoice_id, deduction_id, at, ...rest }: Movement, currency: string) {
  return {
    ...rest,
    amount: formatDecimal(decimal(amount), currencyDigits(currency)),
    ...(invoice_id === null ? {} : { invoice_id }),
    ...(deduction_id === null ? {} : { deduction_id }),
    at: at.toISOString(),
  }
}
