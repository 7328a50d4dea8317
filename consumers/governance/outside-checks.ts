import type { Verdict, VerdictCheck } from '../../schemas/verdict.ts'
import { ANSWERED_ELSEWHERE } from './rules/index.ts'

const SIGNATURE_RULES = ['WPK-P2-001', 'WPK-P2-002']

/** True for a rule that the bytes of a package alone never answer. */
export const isAskedElsewhere = (name: string): boolean => ANSWERED_ELSEWHERE.some(({ id }) => id === name)

/** What bare content leaves open: named, so that its silence is not read as a clean result. */
export const unanswered: readonly VerdictCheck[] = ANSWERED_ELSEWHERE.map(({ id, by }) => ({
  name: id,
  version: '1',
  status: 'unavailable',
  detail: `not run on bare content; who answers it: ${by}`,
}))

const verified: readonly VerdictCheck[] = SIGNATURE_RULES.map((name) => ({
  name,
  version: '1',
  status: 'ran',
  on: 'the exact bytes of the upload',
  detail: 'verified by the marketplace before it stored the upload',
}))

/**
 * The verdict on a version that was submitted. Its event says that the marketplace verified signature and signer over
 * these bytes: that is the fact. Whether a name resembles another is for the person who approves its first version.
 */
export const asSubmitted = (verdict: Verdict): Verdict => ({
  ...verdict,
  checks: [...verified, ...verdict.checks.filter(({ name }) => !isAskedElsewhere(name))],
})
