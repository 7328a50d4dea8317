import { Type } from '@sinclair/typebox'
import { scopeOf } from '../../../platform/auth/principal.ts'
import { execute, rows, sqlState, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, OrgId } from '../../../schemas/envelope.ts'
import { paymentError } from './errors.ts'
import { financeRoute } from './finance-route.ts'
import { ELSEWHERE_LOCK, stripeBills } from './map-stripe-meter.ts'
import type { AwsDeps } from './send-aws-usage.ts'
import { hourOf } from './whole-hours.ts'
import { windowRoutes } from './window-list.ts'

const Name = Type.String({ minLength: 1, maxLength: 128 })
const ProductBody = closed({
  tenant: OrgId,
  package: Name,
  /** The product's code, which only groups calls: it is never sent beside an agreement. */
  product: Name,
  license_arn: Type.String({ pattern: '^arn:[\\x21-\\x7e]{1,1000}$' }),
  customer_account: Type.String({ pattern: '^[0-9]{12}$' }),
  /** The dimension of each meter. */
  dimensions: Type.Record(Name, Type.String({ pattern: '^[\\x21-\\x7e]{1,255}$' }), {
    minProperties: 1,
    maxProperties: 100,
  }),
})
type ProductRow = {
  tenant: string
  package: string
  meter: string
  dimension: string
  since: Date
  ends_at: Date | null
}

const WINDOW_COLUMNS = `id, tenant, package, meter, product, license_arn, customer_account, dimension, window_start,
  window_end, quantity::text as quantity, deadline, state, attempts, next_attempt_at, metering_record_id, last_error`

/** Finance says which usage AWS Marketplace bills, and sees what was sent there. */
export function awsRoutes(deps: AwsDeps): Route[] {
  const mode = deps.meterUsage === null ? 'dry_run' : 'live'

  async function write(call: Call): Promise<Answer> {
    const { dimensions, ...body } = checked(ProductBody, jsonBody(call))
    const since = hourOf(deps.now())
    try {
      const store = async (tx: Tx) => {
        for (const [meter, dimension] of Object.entries(dimensions)) {
          if (await stripeBills(tx, { ...body, meter }, since, null))
            throw paymentError('stripe_meter_overlap', `a meter of Stripe takes usage of ${meter}`)
          const { tenant, product, license_arn, customer_account } = body
          const agreement = [product, license_arn, customer_account, dimension]
          await execute(tx, UPSERT, [tenant, body.package, meter, ...agreement, since, since])
        }
      }
      await deps.allTenants.transaction(store, { locks: [ELSEWHERE_LOCK] })
    } catch (error) {
      if (sqlState(error) === '23503') throw httpError('not_found', 'no tenant with this name')
      if (sqlState(error) === '23505')
        throw paymentError('aws_dimension_taken', 'another meter is sent under this agreement and dimension already')
      throw error
    }
    return { status: 200, body: { mode, ...body, dimensions } }
  }

  async function end(call: Call): Promise<Answer> {
    const ends = hourOf(deps.now(), Math.ceil)
    const changed = await deps.allTenants.transaction((tx) =>
      execute(tx, 'update metering.aws_products set ends_at = ? where tenant = ? and package = ? and ends_at is null', [
        ends,
        call.params.tenant,
        call.params.package,
      ]),
    )
    if (changed === 0) throw httpError('not_found', 'AWS does not bill this package for this tenant')
    return { status: 200, body: { mode, ends_at: ends } }
  }

  async function products(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['text', 'text', 'text'])
    const found = await deps.db.transaction(
      (tx) =>
        rows<ProductRow>(
          tx,
          `select tenant, package, meter, product, license_arn, customer_account, dimension, since, planned_until, ends_at
           from metering.aws_products ${after ? 'where (tenant, package, meter) > (?, ?, ?)' : ''}
           order by tenant, package, meter limit ?`,
          [...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one.tenant, one.package, one.meter])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { mode, products: items, next } }
  }

  const retry = async (id: string): Promise<boolean> => {
    const changed = await deps.allTenants.transaction((tx) =>
      execute(
        tx,
        `update metering.aws_windows set state = 'pending', attempts = 0, next_attempt_at = ?, updated_at = ?
         where id = ? and state in ('failed', 'dry_run') and deadline > ?`,
        [deps.now(), deps.now(), id, deps.now()],
      ),
    )
    return changed === 1
  }

  return [
    financeRoute('GET', '/billing/aws/products', 'Usage that AWS Marketplace bills', products),
    financeRoute('POST', '/billing/aws/products', 'Let AWS Marketplace bill a package', write),
    financeRoute('DELETE', '/billing/aws/products/:tenant/:package', 'Let AWS Marketplace bill it no longer', end),
    ...windowRoutes(deps, {
      path: '/billing/aws/windows',
      sentTo: 'AWS Marketplace',
      table: 'metering.aws_windows',
      columns: WINDOW_COLUMNS,
      states: ['pending', 'sent', 'failed', 'expired', 'dry_run'],
      time: 'window_end',
      mode,
      dry: 'metering to AWS is off',
      notAgain: 'it was sent, is being sent, or AWS would refuse it as too old',
      retry,
    }),
  ]
}

/** Agreements change; what was counted under an earlier one stays. After an end it begins anew, at this hour. */
const UPSERT = `
  insert into metering.aws_products as p (tenant, package, meter, product, license_arn, customer_account, dimension,
    since, planned_until)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?)
  on conflict (tenant, package, meter) do update set product = excluded.product, license_arn = excluded.license_arn,
    customer_account = excluded.customer_account, dimension = excluded.dimension, ends_at = null,
    since = case when p.ends_at is null or p.planned_until < p.ends_at then p.since else excluded.since end,
    planned_until =
      case when p.ends_at is null or p.planned_until < p.ends_at then p.planned_until
           else greatest(p.planned_until, excluded.planned_until) end`
