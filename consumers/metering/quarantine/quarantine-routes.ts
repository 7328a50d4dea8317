import { type Static, Type } from '@sinclair/typebox'
import { isOperator, type Principal, scopeOf } from '../../../platform/auth/principal.ts'
import { execute, row, rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { isUuid } from '../../../platform/uuid.ts'
import { closed } from '../../../schemas/envelope.ts'
import type { MeteringDeps } from '../deps.ts'
import { billingError } from '../errors.ts'
import { markUsed } from './mark-used.ts'
import { type QuarantineUsage, usageUnder } from './usage-under.ts'

const DecisionBody = closed({
  decision: Type.Union([Type.Literal('release'), Type.Literal('write_off')]),
  justification: Type.String({ minLength: 1, maxLength: 4_000, pattern: '\\S' }),
})
type Decision = Static<typeof DecisionBody>
const stateOfDecision = { release: 'released', write_off: 'written_off' } as const
const STATES = ['quarantined', ...Object.values(stateOfDecision)]

type QuarantineRow = {
  id: string
  partner: string
  package: string
  version: string
  cause: string
  reason: string
  since: Date | null
  until: Date | null
  state: string
  decided_by: string | null
  justification: string | null
  decided_at: Date | null
  noted_at: Date
}
const columns = `id, partner, package, version, cause, reason, since, until, state, decided_by, justification, decided_at,
  noted_at`

/** Usage that is not billed because of its version: who may see it lists it, a reviewer decides. */
export function quarantineRoutes(deps: MeteringDeps): Route[] {
  async function list(call: Call): Promise<Answer> {
    const { limit, after } = pageRequest(call.query, ['time', 'uuid'])
    const state = call.query.get('state')
    if (state !== null && !STATES.includes(state))
      throw httpError('parameter_invalid', `\`state\` is one of ${STATES.join(', ')}`)
    const found = await deps.db.transaction(
      (tx) =>
        rows<QuarantineRow>(
          tx,
          `select ${columns} from metering.quarantines
           where ${state === null ? 'true' : 'state = ?'}
             ${after ? 'and (noted_at, id) < (?::timestamptz, ?::uuid)' : ''}
           order by noted_at desc, id desc limit ?`,
          [...(state === null ? [] : [state]), ...(after ?? []), limit + 1],
        ),
      { scope: scopeOf(call.principal) },
    )
    const { items, next } = page(found, limit, ({ noted_at, id }) => [noted_at.toISOString(), id])
    const { org } = call.principal
    const operator = isOperator(call.principal)
    // A tenant sees what it used itself; its publisher, like the operator, what was used of the version altogether.
    const whole = items.filter(({ partner }) => operator || partner === org).map(({ id }) => id)
    const own = items.map(({ id }) => id).filter((id) => !whole.includes(id))
    const usage = await deps.allTenants.transaction(async (tx) => [
      ...(await usageUnder(tx, whole, null)),
      ...(await usageUnder(tx, own, org)),
    ])
    const quarantines = items.map((one) =>
      shown(
        one,
        usage.filter(({ id }) => id === one.id),
        whole.includes(one.id),
      ),
    )
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { quarantines, next } }
  }

  async function decide(call: Call): Promise<Answer> {
    const decision = checked(DecisionBody, jsonBody(call))
    const body = await deps.allTenants.transaction((tx) => record(tx, call, decision))
    fault('quarantine.after-commit')
    return { status: 200, body }
  }

  async function record(tx: Tx, call: Call, { decision, justification }: Decision) {
    const now = deps.now()
    const found = await lockQuarantine(tx, call.params.id ?? '')
    requireUndecided(found, call.principal)
    const state = stateOfDecision[decision]
    const by = `${call.principal.subject}@${call.principal.org}`
    await execute(
      tx,
      `update metering.quarantines set state = ?, decided_by = ?, justification = ?, decided_at = ?
       where partner = ? and id = ?`,
      [state, by, justification, now, found.partner, found.id],
    )
    fault('quarantine.after-decision')
    const marked = await markUsed(tx, found, now)
    const periods = [...new Set(marked.map(({ period }) => period))].sort()
    return { id: found.id, state, tenants: new Set(marked.map(({ tenant }) => tenant)).size, periods }
  }

  return [
    {
      method: 'GET',
      path: '/billing/quarantines',
      summary: 'Usage that is not billed because of its package version',
      access: everyone,
      handle: list,
    },
    {
      method: 'POST',
      path: '/billing/quarantines/:id',
      summary: 'Release quarantined usage to be billed, or write it off',
      access: { roles: ['reviewer'] },
      handle: decide,
    },
  ]
}

async function lockQuarantine(tx: Tx, id: string): Promise<QuarantineRow> {
  const found = isUuid(id)
    ? await row<QuarantineRow>(tx, `select ${columns} from metering.quarantines where id = ? for update`, [id])
    : undefined
  if (!found) throw httpError('not_found', 'no quarantine with this id')
  return found
}

function requireUndecided({ partner, state, decided_by }: QuarantineRow, { org }: Principal): void {
  if (partner === org)
    throw billingError('quarantine_own_package', 'somebody outside your organisation must decide on this package')
  if (state !== 'quarantined') throw billingError('quarantine_decided', `${decided_by} decided: ${state}`)
}

/** Who decided and why is between the publisher and the marketplace. */
function shown(one: QuarantineRow, usage: readonly QuarantineUsage[], whole: boolean) {
  const { decided_by, justification, version, noted_at: _noted, partner: publisher, ...rest } = one
  return {
    ...rest,
    version: version || null,
    publisher,
    ...(whole ? { decided_by, justification } : {}),
    records: usage.reduce((sum, { records }) => sum + records, 0),
    usage: usage.map(({ period, meter, quantity, records }) => ({ period, meter, quantity, records })),
  }
}
