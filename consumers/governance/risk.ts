import { currentPolicy } from '../../schemas/policy/policy-document.ts'
import type { Confidence, Severity, Verdict, VerdictCheck, Violation } from '../../schemas/verdict.ts'
import { HYGIENE_RULES } from './rules/index.ts'

/** From here on a person looks at the package: the number of the policy that the marketplace decides under. */
export const REVIEW_THRESHOLD = currentPolicy.risk.review_from

/**
 * The least risk a finding gives, whatever the model says. A high severity always reaches the review threshold; a
 * medium one does when the rule is sure of it; a low one never does.
 */
const FLOOR: Record<Severity, Record<Confidence, number>> = {
  critical: { high: 0.9, medium: 0.7, low: 0.45 },
  high: { high: 0.6, medium: 0.5, low: 0.3 },
  medium: { high: 0.35, medium: 0.3, low: 0.2 },
  low: { high: 0.1, medium: 0.08, low: 0.05 },
}
// Below the threshold: advice such as an image by tag never holds a package by itself.
const HYGIENE_CEILING = 0.15
// The model alone may ask for a review, never more: blocking takes a rule with a reason.
const MODEL_CEILING = 0.89

/**
 * Risk from 0 to 1: the larger of the highest floor among the findings and the model's probability. `probability` is
 * null without a usable model; a value that is no number counts as none.
 */
export function riskScore(violations: readonly Violation[], probability: number | null): number {
  const floor = violations.reduce((most, violation) => Math.max(most, floorOf(violation)), 0)
  const model =
    probability !== null && Number.isFinite(probability) ? Math.min(Math.max(probability, 0), MODEL_CEILING) : 0
  return Math.round(Math.max(floor, model) * 10_000) / 10_000
}

const floorOf = ({ rule_id, severity, confidence }: Violation): number => {
  const floor = FLOOR[severity][confidence]
  return HYGIENE_RULES.has(rule_id) ? Math.min(floor, HYGIENE_CEILING) : floor
}

/** `block` for a sure critical finding, `review` at the threshold, for any high finding and after a failed check. */
export function decisionOf(
  risk: number,
  violations: readonly Violation[],
  checks: readonly VerdictCheck[],
): Verdict['decision'] {
  if (violations.some(({ severity, confidence }) => severity === 'critical' && confidence === 'high')) return 'block'
  const grave = violations.some(({ severity }) => severity === 'critical' || severity === 'high')
  const failed = checks.some(({ status }) => status === 'failed')
  return risk >= REVIEW_THRESHOLD || grave || failed ? 'review' : 'pass'
}
