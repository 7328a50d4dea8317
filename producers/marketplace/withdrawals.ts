import { type Principal, scopeOf } from '../../platform/auth/principal.ts'
import { keyLock, publish } from '../../platform/bus/outbox.ts'
import { execute, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { httpError } from '../../platform/http/errors.ts'
import { type Answer, type Call, jsonBody, type Route } from '../../platform/http/route.ts'
import { checked } from '../../platform/http/validate.ts'
import { closed, saidText } from '../../schemas/envelope.ts'
import { wpkBlocked } from '../../schemas/events/wpk.blocked.ts'
import { wpkDeprecated } from '../../schemas/events/wpk.deprecated.ts'
import { wpkYanked } from '../../schemas/events/wpk.yanked.ts'
import { type MarketplaceDeps, SOURCE } from './deps.ts'
import { marketplaceError } from './errors.ts'
import { mayBecome } from './lifecycle.ts'
import { recordDecision } from './review/decisions.ts'
import { actorOf } from './review/reviewable.ts'
import { findVersion, recordSha256, type VersionRow } from './version-row.ts'

const WithdrawalBody = closed({ reason: saidText(4_000) })

/** How a version that was public is taken back: the call, who may, where it leads, and what is announced. */
const withdrawals = [
  {
    act: 'deprecate',
    status: 'deprecated',
    event: wpkDeprecated,
    summary: 'Advise against an own version; it still works',
    roles: ['partner'],
  },
  {
    act: 'yank',
    status: 'yanked',
    event: wpkYanked,
    summary: 'Take an own version back: it leaves the lists',
    roles: ['partner'],
  },
  {
    act: 'block',
    status: 'blocked',
    event: wpkBlocked,
    summary: 'Forbid a version of any publisher',
    roles: ['reviewer', 'admin'],
  },
] as const
type Withdrawal = (typeof withdrawals)[number]

/** POST /wpk/{id}/deprecate, yank and block. Asked twice, each happens and is announced once. */
export function withdrawalRoutes(deps: MarketplaceDeps): Route[] {
  const handle = (withdrawal: Withdrawal) => async (call: Call) => {
    const { reason } = checked(WithdrawalBody, jsonBody(call))
    const scope = scopeOf(call.principal)
    const id = call.params.id ?? ''
    const { name } = await deps.db.transaction((tx) => findVersion(tx, id), { scope })
    const answer = await deps.db.transaction((tx) => withdraw(tx, call, withdrawal, reason), {
      scope,
      locks: [keyLock(withdrawal.event.topic, name)],
    })
    fault('withdrawal.after-commit')
    deps.wake()
    return answer
  }

  async function withdraw(tx: Tx, call: Call, { act, status, event }: Withdrawal, reason: string): Promise<Answer> {
    const version = await findVersion(tx, call.params.id ?? '')
    requireOwner(version, call.principal, act)
    if (version.status === status) return { status: 200, body: { id: version.id, status, reason: version.reason } }
    if (!mayBecome(version.status, status))
      throw marketplaceError('move_refused', `a version that is ${version.status} cannot become ${status}`)
    const now = deps.now()
    const by = actorOf(call.principal)
    // Whatever moves a version that was public holds the lock of its name: the row needs none of its own.
    await execute(tx, 'update marketplace.versions set status = ?, reason = ? where org = ? and id = ?', [
      status,
      reason,
      version.org,
      version.id,
    ])
    fault('withdrawal.after-version')
    await recordDecision(tx, {
      version,
      decision: act,
      approver: by,
      kind: 'person',
      justification: reason,
      before: recordSha256(version),
      after: recordSha256({ ...version, status, reason }),
      now,
    })
    fault('withdrawal.after-decision')
    const { id, org, name, digest } = version
    const said = event.create(
      { id, org, name, version: version.version, digest, reason, by },
      { source: SOURCE, now, subject: name, traceparent: call.traceparent },
    )
    await publish(tx, event, [said])
    fault('withdrawal.before-commit')
    return { status: 200, body: { id, status, reason } }
  }

  return withdrawals.map((withdrawal) => ({
    method: 'POST',
    path: `/wpk/:id/${withdrawal.act}`,
    summary: withdrawal.summary,
    access: { roles: withdrawal.roles },
    handle: handle(withdrawal),
  }))
}

/** A publisher withdraws its own; what is public of others is, to this call, not there. */
function requireOwner(version: VersionRow, principal: Principal, act: Withdrawal['act']): void {
  if (act !== 'block' && version.org !== principal.org) throw httpError('not_found', 'no package version with this id')
}
