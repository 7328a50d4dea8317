import type { Verdict } from '../../../schemas/verdict.ts'

export type Comparison = { state: 'same' | 'better' | 'worse'; reasons: string[] }

const RANK = { pass: 0, review: 1, block: 2 } as const

/**
 * What a new verdict says against the one that the version was decided on. Worse: a graver decision, a high or critical
 * finding that was not there, or a check that could not run and did before. What is both better and worse is worse.
 */
export function compareVerdicts(before: Verdict | null, after: Verdict): Comparison {
  if (before === null) return { state: 'worse', reasons: ['it was decided on without a verdict'] }
  const known = new Set(before.violations.map(keyOf))
  const added = after.violations.filter((one) => isGrave(one) && !known.has(keyOf(one)))
  const ranBefore = new Set(before.checks.filter(({ status }) => status === 'ran').map(({ name }) => name))
  const lost = after.checks.filter(
    ({ name, status }) => status === 'failed' && (name === 'analysis' || ranBefore.has(name)),
  )
  const reasons = [
    ...(RANK[after.decision] > RANK[before.decision] ? [`${before.decision} became ${after.decision}`] : []),
    ...added.map(({ rule_id, severity, pointer }) => `${severity} ${rule_id} at ${pointer || 'the document'}`),
    ...lost.map(({ name, detail }) => `${name} could not run${detail === undefined ? '' : `: ${detail}`}`),
  ]
  if (reasons.length > 0) return { state: 'worse', reasons: reasons.slice(0, MOST_REASONS) }
  return { state: RANK[after.decision] < RANK[before.decision] ? 'better' : 'same', reasons: [] }
}

// The list says why to look; the verdict beside it says everything.
const MOST_REASONS = 20

type Violation = Verdict['violations'][number]
const keyOf = ({ rule_id, fingerprint, severity }: Violation): string => `${rule_id} ${fingerprint} ${severity}`
const isGrave = ({ severity }: Violation): boolean => severity === 'high' || severity === 'critical'
