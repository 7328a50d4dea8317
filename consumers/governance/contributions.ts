import type { Contribution, Violation } from '../../schemas/verdict.ts'
import type { ModelCard } from './model-card.ts'
import { baseLogOdds, logOdds, rulesLogOdds, VOICE, weigh } from './risk.ts'

const MOST = 10

/**
 * What moved the risk, in its log odds, at most ten, largest first: each feature by the model's half, `rules` by the
 * other, and `bound` where a finding leaves no lower risk or the model no higher one. With the base they are all of it;
 * what is below a hundredth is left out.
 */
export function contributionsOf(
  features: Float32Array,
  { features: names, weights, intercept }: ModelCard,
  violations: readonly Violation[],
  probability: number,
): Contribution[] {
  const added = [...features].map((value, index) => {
    const feature = names[index] ?? ''
    return { feature, log_odds: VOICE * value * (weights[feature] ?? 0) }
  })
  added.push({ feature: 'rules', log_odds: rulesLogOdds(violations) })
  const sum = added.reduce((total, { log_odds }) => total + log_odds, baseLogOdds(intercept))
  const { risk, limited } = weigh(violations, probability)
  if (limited) added.push({ feature: 'bound', log_odds: logOdds(risk) - sum })
  return added
    .map(({ feature, log_odds }) => ({ feature, log_odds: Math.round(log_odds * 1000) / 1000 }))
    .filter(({ log_odds }) => Math.abs(log_odds) >= 0.01)
    .sort((a, b) => b.log_odds - a.log_odds || (a.feature < b.feature ? -1 : 1))
    .slice(0, MOST)
}
