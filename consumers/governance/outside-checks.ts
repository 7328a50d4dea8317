import type { Verdict, VerdictCheck } from '../../schemas/verdict.ts'
import { ANSWERED_ELSEWHERE } from './rules/index.ts'

/** True for a rule that the bytes of a package alone never answer. */
export const isAskedElsewhere = (name: string): boolean => ANSWERED_ELSEWHERE.some(({ id }) => id === name)

/** What bare content leaves open: named, so that its silence is not read as a clean result. */
export const unanswered: readonly VerdictCheck[] = ANSWERED_ELSEWHERE.map(({ id, by }) => ({
  name: id,
  version: '1',
  status: 'unavailable',
  detail: `not run on bare content; who answers it: ${by}`,
}))

const answered: readonly VerdictCheck[] = ANSWERED_ELSEWHERE.map(({ id, by }) => ({
  name: id,
  version: '1',
  status: 'ran',
  on: 'the upload',
  detail: `answered by ${by}`,
}))

/**
 * The verdict on a version that was submitted. Its event says that the marketplace stored the upload, and so that the
 * signature over its exact bytes, the signer and the name were found good before: that is the fact.
 */
export const asSubmitted = (verdict: Verdict): Verdict => ({
  ...verdict,
  checks: [...answered, ...verdict.checks.filter(({ name }) => !isAskedElsewhere(name))],
})
