import { scopeOf } from '../../../platform/auth/principal.ts'
import { row, rows } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import type { Answer, Call, Route } from '../../../platform/http/route.ts'
import { isUuid } from '../../../platform/uuid.ts'
import type { PaymentDeps } from './deps.ts'
import { paymentError } from './errors.ts'
import { financeRoute } from './finance-route.ts'

/** Windows of usage that somebody else bills: where they are, and how finance has one sent again. */
export type WindowsOf = {
  path: string
  /** For the summaries of the calls. */
  sentTo: string
  table: string
  columns: string
  states: readonly string[]
  /** Lists go by it, the newest first. */
  time: 'hour' | 'window_end'
  mode: string
  /** Why nothing is sent at all. */
  dry: string
  /** Why one is not sent again. */
  notAgain: string
  retry: (id: string) => Promise<boolean>
}
type WindowRow = { id: string } & Record<WindowsOf['time'], Date>

/** The list of windows by state and tenant, and the call that has a failed one sent again. */
export function windowRoutes(deps: Pick<PaymentDeps, 'db' | 'log'>, of: WindowsOf): Route[] {
  const { table, columns, states, time, mode } = of

  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const [state, tenant] = [call.query.get('state'), call.query.get('tenant')]
    if (state !== null && !states.includes(state))
      throw httpError('parameter_invalid', `\`state\` is one of ${states.join(', ')}`)
    const found = await deps.db.transaction(
      (tx) =>
        rows<WindowRow>(
          tx,
          `select ${columns} from ${table}
           where (?::text is null or state = ?) and (?::text is null or tenant = ?)
             ${after ? `and (${time}, id) < (?::timestamptz, ?::uuid)` : ''}
           order by ${time} desc, id desc limit ?`,
          [state, state, tenant, tenant, ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, (one) => [one[time].toISOString(), one.id])
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { mode, windows: items, next } }
  }

  async function retry(call: Call): Promise<Answer> {
    const id = call.params.id ?? ''
    const found = isUuid(id)
      ? await deps.db.transaction((tx) => row(tx, `select 1 from ${table} where id = ?`, [id]), {
          scope: scopeOf(call.principal),
        })
      : undefined
    if (!found) throw httpError('not_found', 'no window with this id')
    if (mode === 'dry_run') throw paymentError('payments_dry_run', `${of.dry}, so nothing can be sent again`)
    if (!(await of.retry(id))) throw paymentError('payment_not_retriable', of.notAgain)
    deps.log.info('usage is to be sent again', { window: id, by: call.principal.subject })
    return { status: 202, body: { mode, id, state: 'pending' } }
  }

  return [
    financeRoute('GET', of.path, `What was sent to ${of.sentTo}`, list),
    financeRoute('POST', `${of.path}/:id/retry`, 'Send a failed window again', retry),
  ]
}
