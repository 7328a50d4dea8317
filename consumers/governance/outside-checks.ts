import type { Origin } from '../../schemas/origin.ts'
import type { Verdict, VerdictCheck } from '../../schemas/verdict.ts'
import { byGravity } from './gravity.ts'
import { decisionOf, riskScore } from './risk.ts'
import { ORIGIN_RULES } from './rules/index.ts'
import { runOriginRule } from './rules/rule.ts'

/** True for a rule that the bytes of a package alone never answer. */
export const isAskedElsewhere = (name: string): boolean => ORIGIN_RULES.some(({ id }) => id === name)

/** What bare content leaves open: named, so that its silence is not read as a clean result. */
export const unanswered: readonly VerdictCheck[] = ORIGIN_RULES.map(({ id, version }) => ({
  name: id,
  version: String(version),
  status: 'unavailable',
  detail: 'not run on bare content; the marketplace checks it before it stores an upload',
}))

/** What an event without `origin` says: the marketplace stores nothing whose signature, signer and name are not good. */
const AS_STORED: Origin = { signature: 'verified', signer: 'registered' }

/**
 * The verdict on a version that was submitted or is judged anew: what the marketplace found of signature, signer and name
 * is judged with it. A check that the marketplace could not make is one that failed, so a person must look.
 */
export function asSubmitted(verdict: Verdict, origin: Origin = AS_STORED): Verdict {
  const found = ORIGIN_RULES.flatMap((rule) => runOriginRule(rule, origin))
  const violations = [...found, ...verdict.violations].sort(byGravity)
  const checks = [
    ...ORIGIN_RULES.map((rule) => answered(rule, origin)),
    ...verdict.checks.filter(({ name }) => !isAskedElsewhere(name)),
  ]
  const risk = Math.max(verdict.risk_score, riskScore(found, null))
  return { ...verdict, risk_score: risk, decision: decisionOf(risk, violations, checks), violations, checks }
}

function answered({ id, version }: { id: string; version: number }, { signature, signer }: Origin): VerdictCheck {
  const open = (id === 'WPK-P2-001' && signature === 'not_judged') || (id === 'WPK-P2-002' && signer === 'not_judged')
  return {
    name: id,
    version: String(version),
    status: open ? 'failed' : 'ran',
    on: 'the upload',
    detail: open
      ? 'the marketplace could not check it, because the check before it failed'
      : 'the marketplace’s own check of the upload',
  }
}
