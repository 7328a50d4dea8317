import { scopeOf } from '../../../platform/auth/principal.ts'
import { keyLock, publish } from '../../../platform/bus/outbox.ts'
import { execute, type Tx } from '../../../platform/db.ts'
import { fault } from '../../../platform/fault.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../../platform/http/route.ts'
import { checked } from '../../../platform/http/validate.ts'
import { closed, saidText } from '../../../schemas/envelope.ts'
import { orgReactivated } from '../../../schemas/events/org.reactivated.ts'
import { orgSuspended } from '../../../schemas/events/org.suspended.ts'
import { type MarketplaceDeps, SOURCE } from '../deps.ts'
import { marketplaceError } from '../errors.ts'
import { actorOf } from '../review/reviewable.ts'
import { recordAct } from './act-record.ts'
import { findOrg, orgOf } from './org-row.ts'

const ReasonBody = closed({ reason: saidText(1_000) })

/**
 * POST /orgs/{org}/suspend and reactivate. Asked twice, each happens and is announced once; the first reason stays.
 * Its packages and usage follow what docs/organisations.md says.
 */
export function suspensionRoutes(deps: MarketplaceDeps): Route[] {
  const change = (act: 'suspend' | 'reactivate') => async (call: Call) => {
    const { reason } = checked(ReasonBody, jsonBody(call))
    const org = call.params.org ?? ''
    const scope = scopeOf(call.principal)
    await deps.db.transaction((tx) => findOrg(tx, org), { scope })
    const answer = await deps.db.transaction((tx) => store(tx, call, act, org, reason), {
      scope,
      locks: [keyLock(orgSuspended.topic, org)],
    })
    fault('orgs.after-commit')
    deps.wake()
    return answer
  }

  async function store(
    tx: Tx,
    call: Call,
    act: 'suspend' | 'reactivate',
    org: string,
    reason: string,
  ): Promise<Answer> {
    const at = deps.now()
    const by = actorOf(call.principal)
    const { kind } = await findOrg(tx, org)
    if (kind === 'operator') throw marketplaceError('operator_org', 'the operator itself is not suspended')
    const changed =
      act === 'suspend'
        ? await execute(
            tx,
            `update platform.orgs set suspended_at = ?, suspended_reason = ?, suspended_by = ?
             where org = ? and suspended_at is null`,
            [at, reason, by, org],
          )
        : await execute(
            tx,
            `update platform.orgs set suspended_at = null, suspended_reason = null, suspended_by = null
             where org = ? and suspended_at is not null`,
            [org],
          )
    if (changed === 1) {
      const event = act === 'suspend' ? orgSuspended : orgReactivated
      const recorded = act === 'suspend' ? 'org_suspended' : 'org_reactivated'
      await recordAct(tx, { kind: recorded, org, subject: org, by: call.principal, at, detail: { reason } })
      const options = { source: SOURCE, now: at, subject: org, traceparent: call.traceparent }
      await publish(tx, event, [event.create({ org, reason, by, at: at.toISOString() }, options)])
    }
    fault('orgs.before-commit')
    return { status: 200, body: orgOf(await findOrg(tx, org), call.principal) }
  }

  const access = { roles: ['admin'] as const }
  return [
    {
      method: 'POST',
      path: '/orgs/:org/suspend',
      summary: 'Suspend an organisation: it may only read',
      access,
      handle: change('suspend'),
    },
    {
      method: 'POST',
      path: '/orgs/:org/reactivate',
      summary: 'End the suspension of an organisation',
      access,
      handle: change('reactivate'),
    },
  ]
}
