import { publish } from '../../../../platform/bus/outbox.ts'
import type { Handler } from '../../../../platform/bus/runner.ts'
import { mayBecome, type Status, statusOfDecision } from '../../../../producers/marketplace/lifecycle.ts'
import type { EventDefinition } from '../../../../schemas/define-event.ts'
import type { Envelope } from '../../../../schemas/envelope.ts'
import type { Verdict } from '../../../../schemas/verdict.ts'
import type { Marketplace } from '../fixture.ts'
import { finding } from './working.ts'

export const VERDICTS = {
  harmless: {},
  grave: { risk_score: 0.6, decision: 'review', violations: [finding()] },
  critical: { risk_score: 0.9, decision: 'block', violations: [finding({ severity: 'critical' })] },
  named: { risk_score: 0.2, violations: [finding({ rule_id: 'WPK-P3-007', severity: 'low' })] },
} as const satisfies Record<string, Partial<Verdict>>
export const WITHDRAWALS = { deprecate: 'deprecated', yank: 'yanked', block: 'blocked' } as const
const DECISIONS = statusOfDecision
export const LEASE_MS = 15 * 60_000

/** What happens to a package: acts of people, verdicts, the analyzer's silence, and the reaction to a decision. */
export type Act =
  | { do: 'upload' }
  | { do: 'verdict'; kind: keyof typeof VERDICTS }
  | { do: 'silence'; ms: number }
  | { do: 'claim' | 'heartbeat' | 'release'; who: 0 | 1 }
  | { do: 'decide'; decision: keyof typeof DECISIONS; who: 0 | 1 }
  | { do: 'withdraw'; act: keyof typeof WITHDRAWALS }
  | { do: 'react' }

/** One version as the model thinks it stands. */
export type Modelled = {
  id: string
  number: string
  status: Status
  submittedAt: number
  verdict: keyof typeof VERDICTS | null
  approvedByPerson: boolean
  endorsed: 0 | 1 | null
  holder: { who: 0 | 1; until: number } | null
  /** A decision that the marketplace has not reacted to. */
  pending: keyof typeof DECISIONS | null
  decisions: number
  told: string[]
}
/** What the model expects: the answer's status, or null for what has none. */
export type Expected = { status: number | null }

const OK = { status: 200 }
const REFUSED = { status: 409 }
const NONE = { status: null }

/** Moves the model by one act on one version of the package; says what the answer must be. */
export function foresee(versions: Modelled[], on: Modelled, act: Act, now: number): Expected {
  switch (act.do) {
    case 'verdict':
      judge(versions, on, act.kind)
      return NONE
    case 'silence':
      for (const one of versions) fallSilent(one, now)
      return NONE
    case 'claim':
    case 'heartbeat':
    case 'release':
      return lease(on, act.do, act.who, now)
    case 'decide':
      return decide(on, act.decision, act.who, now)
    case 'withdraw':
      return withdraw(on, act.act)
    case 'react':
      react(on)
      return NONE
    case 'upload':
      for (const one of versions)
        if (one.status === 'changes_requested')
          Object.assign(one, { status: 'rejected', decisions: one.decisions + 1 }).told.push('wpk.rejected')
      return { status: 202 }
  }
}

function judge(versions: Modelled[], on: Modelled, kind: keyof typeof VERDICTS): void {
  const awaited = on.status === 'submitted' || on.status === 'errored' || (on.status === 'in_review' && !on.verdict)
  if (!awaited) return
  on.verdict = kind
  const stepOn = versions.some((one) => one !== on && one.approvedByPerson && one.status !== 'blocked')
  on.status = kind === 'named' ? 'rejected' : kind === 'harmless' && stepOn ? 'published' : 'in_review'
  if (on.status === 'in_review') return
  on.decisions += 1
  on.told.push(`wpk.${on.status}`)
}

function fallSilent(one: Modelled, now: number): void {
  const waiting = one.status === 'submitted' || one.status === 'errored'
  if (waiting && now - one.submittedAt > 15 * 60_000) one.status = 'in_review'
  else if (one.status === 'submitted' && now - one.submittedAt > 120_000) one.status = 'errored'
}

const heldByOther = (on: Modelled, who: 0 | 1, now: number) =>
  on.holder !== null && on.holder.until > now && on.holder.who !== who

function lease(on: Modelled, act: 'claim' | 'heartbeat' | 'release', who: 0 | 1, now: number): Expected {
  if (on.status !== 'in_review' || heldByOther(on, who, now)) return REFUSED
  if (act === 'heartbeat' && on.holder?.who !== who) return REFUSED
  on.holder = act === 'release' ? null : { who, until: now + LEASE_MS }
  return OK
}

function decide(on: Modelled, decision: keyof typeof DECISIONS, who: 0 | 1, now: number): Expected {
  if (on.status === 'in_review' && decision === 'approve' && on.endorsed === who) return { status: 202 }
  if (on.status !== 'in_review' || heldByOther(on, who, now)) return REFUSED
  on.decisions += 1
  on.holder = null
  if (decision === 'approve' && on.verdict === 'critical' && on.endorsed === null) {
    on.endorsed = who
    return { status: 202 }
  }
  on.status = DECISIONS[decision]
  on.approvedByPerson = decision === 'approve'
  on.pending = decision
  on.told.push('wpk.reviewed')
  return OK
}

function withdraw(on: Modelled, act: keyof typeof WITHDRAWALS): Expected {
  const to = WITHDRAWALS[act]
  if (on.status === to) return OK
  if (!mayBecome(on.status, to)) return REFUSED
  on.status = to
  on.decisions += 1
  on.told.push(`wpk.${to}`)
  return OK
}

function react(on: Modelled): void {
  const { pending } = on
  on.pending = null
  if (pending === 'reject') on.told.push('wpk.rejected')
  if (pending !== 'approve') return
  on.status = 'published'
  on.told.push('wpk.published')
}

/** Hands one event to a handler as the bus does: lock of the key first, what it emits in the same transaction. */
export async function handOver(market: Marketplace, reaction: Handler, definition: EventDefinition, event: Envelope) {
  const { name } = event.data as { name: string }
  await market.database.as('atom_marketplace').transaction(
    async (tx) => {
      const outcome = await reaction.handle(event, tx, undefined, { topic: '', partition: 0, position: '' } as never)
      if (outcome.kind === 'ok') for (const one of outcome.emit) await publish(tx, one.definition, [one.event])
    },
    { locks: [`${definition.topic.name}/${name}`] },
  )
}
