import { createHash } from 'node:crypto'
import type { Confidence, Severity, Violation } from '../../../schemas/verdict.ts'
import type { PackageView } from '../package-view.ts'

/** What a rule found. `matched` is the fact itself, without its place; two findings with the same one are one fact. */
export type Finding = {
  pointer: string
  severity: Severity
  confidence: Confidence
  message: string
  matched: string
}

/**
 * One rule. `version` rises when what it finds changes. A `hygiene` rule advises: whatever its severity, it never lifts
 * the risk to the review threshold by itself.
 */
export type Rule = {
  id: string
  version: number
  name: string
  remediation: string
  hygiene: boolean
  check: (view: PackageView) => Finding[]
}

// A package with a thousand unpinned images is told so in twenty lines.
const MAX_FINDINGS = 20

/** Runs one rule; double findings are merged and at most 20 are kept. */
export function runRule(rule: Rule, view: PackageView): Violation[] {
  const seen = new Set<string>()
  const violations: Violation[] = []
  for (const finding of rule.check(view)) {
    const violation = violationOf(rule, finding)
    const key = `${violation.pointer} ${violation.fingerprint}`
    if (seen.has(key)) continue
    seen.add(key)
    violations.push(violation)
    if (violations.length === MAX_FINDINGS) break
  }
  return violations
}

function violationOf(rule: Rule, finding: Finding): Violation {
  const matched = finding.matched.replace(/\s+/g, ' ').trim()
  return {
    rule_id: rule.id,
    policy: `P-${rule.id.slice(5, 6)}`,
    severity: finding.severity,
    confidence: finding.confidence,
    pointer: finding.pointer,
    message: finding.message.slice(0, 500),
    remediation: rule.remediation,
    fingerprint: createHash('sha256').update(`${rule.id}\n${matched}`).digest('hex'),
  }
}
