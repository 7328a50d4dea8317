import { isOperator, scopeOf } from '../../../platform/auth/principal.ts'
import { rows, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { type Answer, type Call, everyone, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import type { MeteringDeps } from '../deps.ts'
import { DecisionBody, decideQuarantine, stateOfDecision } from './decide-quarantine.ts'
import { type ReleaseOf, releaseFor, undecided, usersOf } from './estimate-release.ts'
import { type QuarantineUsage, usageUnder } from './usage-under.ts'

/** Tenants that are estimated in one call. */
const ESTIMATED = 20
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
    const { principal, params } = call
    const body = await deps.allTenants.transaction((tx) =>
      decideQuarantine(tx, params.id ?? '', decision, principal, deps.now()),
    )
    fault('quarantine.after-commit')
    return { status: 200, body }
  }

  /** Answers for a few tenants at a time: for each its open months are rated twice, in a transaction that is taken back. */
  async function estimate(call: Call): Promise<Answer> {
    const { limit: asked, after } = pageRequest(call.query, ['text'])
    const limit = Math.min(asked, ESTIMATED)
    const id = call.params.id ?? ''
    const users = await deps.allTenants.transaction(async (tx) =>
      usersOf(tx, await undecided(tx, id), after?.[0] ?? '', limit + 1),
    )
    const { items, next } = page(users, limit, ({ tenant }) => [tenant])
    const tenants: ReleaseOf[] = []
    for (const { tenant } of items) {
      const one = await takenBack(deps, (tx) => releaseFor(tx, id, tenant, deps.partnerSharePercent, deps.now()))
      if (one) tenants.push(one)
    }
    return { status: 200, headers: nextLink(call.path, call.query, next), body: { id, tenants, next } }
  }

  return [
    {
      method: 'GET',
      path: '/billing/quarantines/:id/estimate',
      summary: 'What releasing it would bill each tenant; changes nothing',
      access: { roles: ['reviewer', 'finance'] },
      handle: estimate,
    },
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

/** Does work whose effects never come to be. */
async function takenBack<T>({ allTenants }: MeteringDeps, work: (tx: Tx) => Promise<T>): Promise<T> {
  let done: { result: T } | undefined
  const undo = new Error('taken back')
  await allTenants
    .transaction(async (tx) => {
      done = { result: await work(tx) }
      throw undo
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error
    })
  return (done as { result: T }).result
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
