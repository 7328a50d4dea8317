import { type Static, Type } from '@sinclair/typebox'
import { row, sqlState, type Tx } from '../../../platform/db.ts'
import { decimal, PLACES } from '../../../platform/decimal.ts'
import type { Fault } from '../../../platform/errors.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { parseUtcTime } from '../../../platform/utc-time.ts'
import { closed, OrgId } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'
import { currencyOf } from '../load-subscriptions.ts'
import { currencyDigits, isCurrency } from '../rating/currency.ts'
import { CREDIT_COLUMNS, type CreditRow, creditText } from './credit-text.ts'
import { creditError } from './errors.ts'
import { grantCredit } from './grant-credit.ts'

const Body = closed({
  tenant: OrgId,
  amount: Type.String({ pattern: '^(?=.*[1-9])\\d{1,18}(\\.\\d{1,12})?$' }),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  kind: Type.Union([Type.Literal('paid'), Type.Literal('promotional')]),
  reference: Type.String({ pattern: '^[\\x21-\\x7e]{1,128}$' }),
  priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000 })),
  expires_at: Type.Optional(Type.String({ maxLength: 40 })),
  applies_to: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { minItems: 1, maxItems: 100, uniqueItems: true }),
  ),
})
type Body = Static<typeof Body>
type Read = Body & { expires: Date | null }

/** POST /billing/credits: finance grants prepaid money. The reference makes a repeated call the same grant. */
export function grantRoute(deps: MeteringDeps): Route {
  async function handle(call: Call): Promise<Answer> {
    const body = readBody(checked(Body, jsonBody(call)))
    try {
      const { credit, isNew } = await deps.allTenants.transaction((tx) => grantOnce(tx, body, deps.now()))
      return { status: isNew ? 201 : 200, body: creditText(credit) }
    } catch (error) {
      if (sqlState(error) === '23503') throw httpError('not_found', 'no tenant with this name')
      throw error
    }
  }

  return {
    method: 'POST',
    path: '/billing/credits',
    summary: 'Grant prepaid credits to a tenant',
    access: { roles: ['finance'] },
    handle,
  }
}

async function grantOnce(tx: Tx, body: Read, at: Date): Promise<{ credit: CreditRow; isNew: boolean }> {
  const before = await byReference(tx, body)
  if (before) return { credit: theSame(before, body), isNew: false }
  const made = await grantCredit(tx, await grantOf(tx, body, at), at)
  // Lost to a caller with the same reference, who has committed meanwhile.
  const credit = (await byReference(tx, body)) as CreditRow
  return made === null ? { credit: theSame(credit, body), isNew: false } : { credit, isNew: true }
}

async function grantOf(tx: Tx, body: Read, at: Date) {
  const { tenant, reference, kind, amount, priority = 0, applies_to = null, expires } = body
  if (expires !== null && expires <= at)
    throw invalid({ pointer: '/expires_at', code: 'past', detail: 'is not in the future' })
  const first = await row(tx, 'select 1 from metering.subscriptions where tenant = ? limit 1', [tenant])
  const own = await currencyOf(tx, tenant)
  const currency = body.currency ?? own
  if (first && currency !== own) throw billingError('currency_mismatch', `${tenant} is billed in ${own}`)
  const digits = currencyDigits(currency)
  if (decimal(amount) % 10n ** BigInt(PLACES - digits) !== 0n)
    throw invalid({ pointer: '/amount', code: 'too_exact', detail: `${currency} has ${digits} decimals` })
  return {
    tenant,
    source: 'manual' as const,
    reference,
    kind,
    currency,
    amount,
    priority,
    starts_at: at,
    expires_at: expires,
    applies_to,
    package: null,
    partner: null,
  }
}

const byReference = (tx: Tx, { tenant, reference }: Body): Promise<CreditRow | undefined> =>
  row<CreditRow>(
    tx,
    `select ${CREDIT_COLUMNS} from metering.credits where tenant = ? and source = 'manual' and reference = ?`,
    [tenant, reference],
  )

/** The credit that a repeated call means; what differs in content was meant as another one. */
function theSame(credit: CreditRow, body: Read): CreditRow {
  const same =
    decimal(credit.amount) === decimal(body.amount) &&
    credit.kind === body.kind &&
    (body.currency ?? credit.currency) === credit.currency &&
    credit.priority === (body.priority ?? 0) &&
    (credit.expires_at?.getTime() ?? null) === (body.expires?.getTime() ?? null) &&
    JSON.stringify(credit.applies_to) === JSON.stringify(body.applies_to ?? null)
  if (!same) throw creditError('credit_conflict', `credit ${credit.id} has this reference and other content`)
  return credit
}

function readBody(body: Body): Read {
  if (body.currency !== undefined && !isCurrency(body.currency))
    throw invalid({ pointer: '/currency', code: 'currency_unknown', detail: 'is not an ISO 4217 code' })
  if (body.expires_at === undefined) return { ...body, expires: null }
  const expires = parseUtcTime(body.expires_at)
  if (!expires) throw invalid({ pointer: '/expires_at', code: 'time_invalid', detail: 'is not an RFC 3339 time' })
  return { ...body, expires }
}

const invalid = (fault: Fault) => creditError('credit_invalid', `${fault.pointer} ${fault.detail}`, { errors: [fault] })
