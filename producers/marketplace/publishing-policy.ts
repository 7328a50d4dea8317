import type { Verdict } from '../../schemas/verdict.ts'

export type ApprovedVersion = { capabilities: readonly string[] } | null
export type MachineDecision = { publish: true; reason: string } | { publish: false; reason: string }

export const REVIEW_THRESHOLD = 0.3

/**
 * The default policy: the machine publishes only a harmless step on from what a person approved before. It never
 * rejects, and it never approves a package that runs by itself (P-3).
 */
export function decideByPolicy(
  verdict: Verdict,
  safetyMode: 'manual' | 'auto',
  approvedBefore: ApprovedVersion,
  signerFault: string | null = null,
): MachineDecision {
  const grave = verdict.violations.filter(({ severity }) => severity === 'high' || severity === 'critical')
  const added = verdict.capabilities.filter((one) => !approvedBefore?.capabilities.includes(one))
  const unrun = verdict.checks.filter(({ status }) => status !== 'ran')
  const reasons = [
    signerFault !== null && signerFault,
    safetyMode !== 'manual' && 'it may run without a person (safety.mode is not manual)',
    approvedBefore === null && 'no person approved an earlier version of this package',
    verdict.decision !== 'pass' && `the analyzer decided ${verdict.decision}`,
    verdict.risk_score >= REVIEW_THRESHOLD && `risk ${verdict.risk_score} is not below ${REVIEW_THRESHOLD}`,
    grave.length > 0 && `${grave.length} finding(s) of high or critical severity`,
    approvedBefore !== null && added.length > 0 && `it gained ${added.join(', ')} over the approved version`,
    verdict.checks.length === 0 && 'it names no check that ran',
    unrun.length > 0 && `not every check ran: ${unrun.map(({ name }) => name).join(', ')}`,
  ].filter((reason): reason is string => reason !== false)
  if (reasons.length > 0) return { publish: false, reason: `A reviewer must look: ${reasons.join('; ')}.` }
  return { publish: true, reason: 'No risk above what a person approved before.' }
}
