import type { Violation } from './answers.ts'
import type { Tone } from './chip.tsx'

const statusTones: Record<string, Tone> = {
  published: 'good',
  approved: 'good',
  in_review: 'warn',
  changes_requested: 'warn',
  errored: 'warn',
  rejected: 'bad',
  yanked: 'bad',
  blocked: 'bad',
}
const decisionTones: Record<string, Tone> = { pass: 'good', review: 'warn', block: 'bad' }
const severityTones: Record<string, Tone> = { critical: 'bad', high: 'bad', medium: 'warn' }
const severityOrder = ['critical', 'high', 'medium', 'low']

/** The tone of a package status; one this page does not know is shown without judgement. */
export const statusTone = (status: string): Tone => statusTones[status] ?? 'quiet'
export const decisionTone = (decision: string): Tone => decisionTones[decision] ?? 'quiet'
export const severityTone = (severity: string): Tone => severityTones[severity] ?? 'quiet'

/** Gravest first, otherwise as the analyzer listed them; a severity this page does not know comes last. */
export const gravestFirst = (violations: readonly Violation[]): Violation[] => {
  const rank = (violation: Violation) => {
    const at = severityOrder.indexOf(violation.severity)
    return at === -1 ? severityOrder.length : at
  }
  return violations.toSorted((a, b) => rank(a) - rank(b))
}

/** Three decimals, cut and not rounded: 0.2996 shown as 0.300 would look as if it had reached the review threshold. */
export const riskText = (score: number): string => (Math.floor(score * 1000 + 1e-9) / 1000).toFixed(3)
