import { scopeOf } from '../../../platform/auth/principal.ts'
import { rows } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import type { PaymentDeps } from './deps.ts'
import { financeRoute } from './finance-route.ts'
import { settleMeterErrors } from './meter-errors.ts'

type ErrorRow = { id: string; received_at: Date }

/** What meters of Stripe refused after they had taken it. */
export function meterErrorRoutes(deps: PaymentDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'text'])
    const open = call.query.get('open')
    if (open !== null && open !== 'true') throw httpError('parameter_invalid', '`open` is true, or left out')
    const found = await deps.db.transaction(
      (tx) =>
        rows<ErrorRow>(
          tx,
          `select id, meter, validated_from, validated_to, errors::float8 as errors, codes, received_at, settled_at,
             settled_by
           from metering.stripe_meter_errors
           where (settled_at is null or ?) ${after ? 'and (received_at, id) < (?::timestamptz, ?)' : ''}
           order by received_at desc, id desc limit ?`,
          [open === null, ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one.received_at.toISOString(), one.id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { errors: items, next } }
  }

  async function settle(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    if (!(await settleMeterErrors(deps.allTenants, id, call.principal.subject, deps.now())))
      throw httpError('not_found', 'Stripe has sent no report with this id')
    return { status: 200, body: { id, settled: true } }
  }

  return [
    financeRoute('GET', '/billing/stripe-meters/errors', 'What meters of Stripe refused later', list),
    financeRoute('POST', '/billing/stripe-meters/errors/:id/settle', 'Say that it was seen to', settle),
  ]
}
