import { createHash } from 'node:crypto'
import { AppError } from '../../platform/errors.ts'
import { currentPolicy } from '../../schemas/policy/policy-document.ts'
import type { Verdict, Violation } from '../../schemas/verdict.ts'
import { riskScore } from './risk.ts'
import { hardToJudge } from './rules/hard-to-judge.ts'
import { RULESET } from './rules/index.ts'

/** Failures that are the package's own: trying again would only cost others the same time once more. */
const ABOUT_THE_PACKAGE: ReadonlySet<string> = new Set(['analysis_timeout', 'analysis_memory', 'analysis_failed'])

/**
 * The verdict of `analyze`, or one that holds the package with the reason when the analysis could not be done within its
 * limits. `also` names further codes that hold it. What is not about the package (the analyzer is down) rejects as before.
 */
export async function judgedOrHeld(
  content: Uint8Array,
  analyze: () => Promise<Verdict>,
  also: readonly string[] = [],
): Promise<Verdict> {
  try {
    return await analyze()
  } catch (error) {
    if (!(error instanceof AppError) || !(ABOUT_THE_PACKAGE.has(error.code) || also.includes(error.code))) throw error
    return heldVerdict(content, error.code, error.message)
  }
}

/** Nothing is known of the package but that it could not be judged: never clean, and a person must look. */
function heldVerdict(content: Uint8Array, code: string, reason: string): Verdict {
  const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')
  const violation: Violation = {
    rule_id: hardToJudge.id,
    policy: 'P-6',
    severity: 'medium',
    confidence: 'high',
    pointer: '',
    message: `the package could not be judged: ${reason}`.slice(0, 500),
    remediation: hardToJudge.remediation,
    fingerprint: sha256(`${hardToJudge.id}\n${code}`),
  }
  return {
    risk_score: riskScore([violation], null),
    decision: 'review',
    policy_version: currentPolicy.version,
    violations: [violation],
    capabilities: [],
    digest: `sha256:${sha256(content)}`,
    ruleset: RULESET,
    model: null,
    checks: [
      {
        name: 'analysis',
        version: '1',
        status: 'failed',
        on: 'every rule and the model',
        detail: `${code}: ${reason}`.slice(0, 500),
      },
    ],
  }
}
