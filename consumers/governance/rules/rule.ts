import { createHash } from 'node:crypto'
import type { Origin } from '../../../schemas/origin.ts'
import type { Confidence, FlowStep, Severity, Violation } from '../../../schemas/verdict.ts'
import type { PackageView } from '../package-view.ts'
import type { TextRange } from '../shell.ts'

/**
 * What a rule found. `matched` is the fact itself, without its place; two findings with the same one are one fact.
 * `range` is the part of the value at the pointer, null where the value does not show it; a rule that leaves it out
 * means the matched text, or else the whole value.
 */
export type Finding = {
  pointer: string
  severity: Severity
  confidence: Confidence
  message: string
  matched: string
  range?: TextRange | null
  flow?: FlowStep[]
}

/**
 * One rule. `version` rises when what it finds changes. A `hygiene` rule advises: whatever its severity, it never lifts
 * the risk to the review threshold by itself.
 */
export type Rule = {
  id: string
  version: number
  name: string
  /** Its gravest finding; a finding may weigh less and says so itself. */
  severity: Severity
  /** What it looks at and what counts, and what it leaves alone: the text of its page. */
  about: string
  remediation: string
  hygiene: boolean
  check: (view: PackageView) => Finding[]
}

/** A rule about what the bytes cannot say: it judges what the marketplace found of a version and sent along. */
export type OriginRule = Omit<Rule, 'check'> & { check: (origin: Origin) => Finding[] }

// A package with a thousand unpinned images is told so in twenty lines.
export const MAX_FINDINGS = 20

/** The first items that pass a test, no more than a rule may report: wording thousands of findings takes seconds. */
export function firstOf<T>(items: readonly T[], test: (item: T) => boolean): T[] {
  const found: T[] = []
  for (const item of items) {
    if (test(item)) found.push(item)
    if (found.length === MAX_FINDINGS) break
  }
  return found
}

/** Runs one rule; double findings are merged and the 20 gravest are kept. */
export function runRule(rule: Rule, view: PackageView): Violation[] {
  const seen = new Set<string>()
  const violations: Violation[] = []
  const findings = rule.check(view).sort((a, b) => weight(b) - weight(a))
  for (const finding of findings) {
    const violation = violationOf(rule, finding, rangeOf(finding, view))
    const key = `${violation.pointer} ${violation.fingerprint}`
    if (seen.has(key)) continue
    seen.add(key)
    violations.push(violation)
    if (violations.length === MAX_FINDINGS) break
  }
  return violations
}

/** Runs one rule on what the marketplace found. */
export const runOriginRule = (rule: OriginRule, origin: Origin): Violation[] =>
  rule.check(origin).map((finding) => violationOf(rule, finding, null))

const GRADE = { low: 0, medium: 1, high: 2, critical: 3 } as const
const weight = ({ severity, confidence }: Finding): number => GRADE[severity] * 4 + GRADE[confidence]

function rangeOf({ range, pointer, matched }: Finding, { facts }: PackageView): TextRange | null {
  if (range !== undefined) return range
  const fact = facts.find((one) => one.pointer === pointer)
  if (fact === undefined || fact.offset === null) return null
  const at = matched === '' ? -1 : fact.text.indexOf(matched)
  const start = fact.offset + Math.max(at, 0)
  return { start, end: at === -1 ? fact.offset + fact.text.length : start + matched.length }
}

function violationOf(rule: Pick<Rule, 'id' | 'remediation'>, finding: Finding, range: TextRange | null): Violation {
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
    ...(range === null ? {} : { range }),
    ...(finding.flow === undefined ? {} : { flow: finding.flow }),
  }
}
