import { currentPolicy } from '../../schemas/policy/policy-document.ts'
import type { Confidence, Severity, Verdict, VerdictCheck, Violation } from '../../schemas/verdict.ts'
import { hardToJudge } from './rules/hard-to-judge.ts'
import { HYGIENE_RULES } from './rules/index.ts'

/** From here on a person looks at the package: the number of the policy that the marketplace decides under. */
export const REVIEW_THRESHOLD = currentPolicy.risk.review_from

type Grade = Pick<Violation, 'rule_id' | 'severity' | 'confidence'>
type Table = Record<Severity, Record<Confidence, number>>

/**
 * The rules' own word on a finding. Without a model it is the risk: a high severity always reaches the review threshold;
 * a medium one does when the rule is sure of it; a low one never does.
 */
const RULES_SAY: Table = {
  critical: { high: 0.9, medium: 0.7, low: 0.45 },
  high: { high: 0.6, medium: 0.5, low: 0.3 },
  medium: { high: 0.35, medium: 0.3, low: 0.2 },
  low: { high: 0.1, medium: 0.08, low: 0.05 },
}
/** The least a finding leaves, whatever the model says: a sure critical one blocks, every critical and every sure high one is looked at. */
const MODEL_LEAVES: Table = {
  critical: { high: 0.9, medium: REVIEW_THRESHOLD, low: REVIEW_THRESHOLD },
  high: { high: REVIEW_THRESHOLD, medium: 0, low: 0 },
  medium: { high: 0, medium: 0, low: 0 },
  low: { high: 0, medium: 0, low: 0 },
}
// What could not be read the model has not read either: its silence lowers nothing.
const NOT_READ: ReadonlySet<string> = new Set([hardToJudge.id])
// Below the threshold: advice such as an image by tag never holds a package by itself.
const HYGIENE_CEILING = 0.15
// What no finding at all is worth: as much as the least one. The log odds need a number above zero.
const NO_FINDING = 0.05
// The model may ask for a review, never more: blocking takes a rule with a reason.
const MODEL_CEILING = 0.89
// A probability of exactly 0 or 1 would silence the rules.
const NEARLY_SURE = 0.9999

export const logOdds = (probability: number): number => Math.log(probability / (1 - probability))
const highest = (found: readonly Grade[], table: Table): number =>
  found.reduce((most, grade) => Math.max(most, worth(grade, table)), 0)

function worth({ rule_id, severity, confidence }: Grade, table: Table): number {
  const value = table[severity][confidence]
  return HYGIENE_RULES.has(rule_id) ? Math.min(value, HYGIENE_CEILING) : value
}

/** Both voices weigh the same: nothing here is fitted, so nothing is fitted to the packages it is measured on. */
export const VOICE = 0.5

/** What the rules add to the log odds of the risk over a package without findings. */
export const rulesLogOdds = (found: readonly Grade[]): number =>
  VOICE * (logOdds(Math.max(highest(found, RULES_SAY), NO_FINDING)) - logOdds(NO_FINDING))

/** The log odds of the risk of a package without features and findings, for a model with this intercept. */
export const baseLogOdds = (intercept: number): number => VOICE * (intercept + logOdds(NO_FINDING))

/** A risk, and whether a limit made it: what a finding leaves at least, or the most that the model can ask for. */
export type Weighed = { risk: number; limited: boolean }

/**
 * Risk from 0 to 1: the mean of the log odds that the rules and the model give, so that the model lowers what it does not
 * bear out and raises what the rules underrate, between what a finding leaves at least and what takes a sure finding.
 * `probability` is null without a usable model; then, and for a value that is no number, the rules' word is the risk.
 */
export function weigh(found: readonly Grade[], probability: number | null): Weighed {
  const rules = highest(found, RULES_SAY)
  if (probability === null || !Number.isFinite(probability)) return { risk: rules, limited: false }
  const model = Math.min(Math.max(probability, 1 - NEARLY_SURE), NEARLY_SURE)
  const both = VOICE * (logOdds(Math.max(rules, NO_FINDING)) + logOdds(model))
  const mean = 1 / (1 + Math.exp(-both))
  const unread = found.filter(({ rule_id }) => NOT_READ.has(rule_id))
  const least = Math.max(highest(found, MODEL_LEAVES), highest(unread, RULES_SAY))
  const risk = Math.max(Math.min(mean, MODEL_CEILING), least)
  return { risk, limited: risk !== mean }
}

/** The risk of `weigh` as a verdict shows it, with four decimals. */
export const riskScore = (found: readonly Grade[], probability: number | null): number =>
  Math.round(weigh(found, probability).risk * 10_000) / 10_000

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
