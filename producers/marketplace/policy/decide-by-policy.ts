import { currentPolicy, type PolicyDocument } from '../../../schemas/policy/policy-document.ts'
import type { Confidence, Verdict, Violation } from '../../../schemas/verdict.ts'

/** What of the newest version that a person approved matters to the next one. */
export type ApprovedVersion = { capabilities: readonly string[]; fingerprints?: readonly string[] } | null
/** A finding that reviewers accepted for this package, and the risk of the version they accepted it on. */
export type AcceptedFinding = { fingerprint: string; risk_score: number }
export type MachineDecision = { outcome: 'publish' | 'review' | 'reject'; reason: string; policy: number }
export type Circumstances = {
  signerFault?: string | null
  /** Accepted, unexpired findings of the package. */
  accepted?: readonly AcceptedFinding[]
  policy?: PolicyDocument
}

const SURE: Record<Confidence, number> = { low: 0, medium: 1, high: 2 }

/**
 * What the machine does with a verdict under a policy: publish only a harmless step on from what a person approved,
 * reject only by a rule that the policy names, never approve a package that runs by itself (P-3). An accepted finding
 * counts for nothing, and neither does the risk it caused.
 */
export function decideByPolicy(
  verdict: Verdict,
  safetyMode: 'manual' | 'auto',
  approvedBefore: ApprovedVersion,
  { signerFault = null, accepted = [], policy = currentPolicy }: Circumstances = {},
): MachineDecision {
  const isAccepted = (one: Violation) => accepted.some(({ fingerprint }) => fingerprint === one.fingerprint)
  const open = verdict.violations.filter((one) => !isAccepted(one))
  const known = verdict.violations.length - open.length
  const said = { policy: policy.version }

  const rejecting = open.filter((one) => actionOf(policy, one) === 'reject')
  if (rejecting.length > 0) {
    const rules = [...new Set(rejecting.map(({ rule_id }) => rule_id))].join(', ')
    return { ...said, outcome: 'reject', reason: `Policy ${policy.version} rejects what ${rules} finds.` }
  }

  const held = open.filter((one) => actionOf(policy, one) === 'review')
  const added = verdict.capabilities.filter((one) => !approvedBefore?.capabilities.includes(one))
  const unrun = verdict.checks.filter(({ status }) => status !== 'ran')
  const { conditions, risk } = policy
  const excused = riskIsExcused(verdict, open, accepted.filter(isOf(verdict)), approvedBefore)
  const reasons = [
    signerFault !== null && signerFault,
    safetyMode !== 'manual' && 'it may run without a person (safety.mode is not manual)',
    conditions.first_version === 'review' &&
      approvedBefore === null &&
      'no person approved an earlier version of this package',
    !excused && policy.analyzer[verdict.decision] === 'review' && `the analyzer decided ${verdict.decision}`,
    !excused && verdict.risk_score >= risk.review_from && `risk ${verdict.risk_score} is not below ${risk.review_from}`,
    held.length > 0 && heldText(held),
    conditions.new_capability === 'review' &&
      approvedBefore !== null &&
      added.length > 0 &&
      `it gained ${added.join(', ')} over the approved version`,
    verdict.checks.length === 0 && 'the analysis is incomplete: it names no check that ran',
    unrun.length > 0 && `the analysis is incomplete: not every check ran: ${unrun.map(({ name }) => name).join(', ')}`,
  ].filter((reason): reason is string => reason !== false)
  const remembered = known > 0 ? ` ${known} accepted finding(s) did not count.` : ''
  if (reasons.length > 0)
    return { ...said, outcome: 'review', reason: `A reviewer must look: ${reasons.join('; ')}.${remembered}` }
  return { ...said, outcome: 'publish', reason: `No risk above what a person approved before.${remembered}` }
}

/** What a policy does about one finding. */
export function actionOf(
  { findings }: PolicyDocument,
  { rule_id, severity, confidence }: Violation,
): 'allow' | 'review' | 'reject' {
  const named = Object.hasOwn(findings.by_rule, rule_id) ? findings.by_rule[rule_id] : undefined
  if (!named) return findings.by_severity[severity]
  return SURE[confidence] >= SURE[named.min_confidence] ? named.action : 'review'
}

const isOf =
  ({ violations }: Verdict) =>
  ({ fingerprint }: AcceptedFinding) =>
    violations.some((one) => one.fingerprint === fingerprint)

/**
 * A verdict says no more of its risk than one number. It is put down to accepted findings only where it is not higher
 * than it was when they were accepted, and nothing else but low findings and those of the approved version is there.
 */
function riskIsExcused(
  verdict: Verdict,
  open: readonly Violation[],
  accepted: readonly AcceptedFinding[],
  approvedBefore: ApprovedVersion,
): boolean {
  const most = Math.max(-1, ...accepted.map(({ risk_score }) => risk_score))
  const seen = approvedBefore?.fingerprints ?? []
  return (
    accepted.length > 0 &&
    verdict.risk_score <= most &&
    open.every(({ severity, fingerprint }) => severity === 'low' || seen.includes(fingerprint))
  )
}

function heldText(held: readonly Violation[]): string {
  const rules = [...new Set(held.map(({ rule_id }) => rule_id))]
  return `${held.length} finding(s) that the policy holds (${rules.join(', ')})`
}
