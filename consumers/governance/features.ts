import { type CapabilityDetail, CapabilityKind, type Violation } from '../../schemas/verdict.ts'
import { CAPABILITIES, type Capability } from './capabilities.ts'
import type { PackageView } from './package-view.ts'
import { HYGIENE_RULES, RULES } from './rules/index.ts'
import { SIGNALS, signalsOf } from './signals.ts'

const SEVERITY_WEIGHT = { low: 0.25, medium: 0.5, high: 0.75, critical: 1 } as const
const CONFIDENCE_WEIGHT = { low: 0.5, medium: 0.8, high: 1 } as const

// Only what is present or not: nothing that grows or thins out with the length of the package may be a feature.
type Structure = { name: string; value: (view: PackageView) => number }
const triggered = (view: PackageView, type: string): number =>
  view.wpk.spec.triggers?.some((trigger) => trigger.type === type) ? 1 : 0
const STRUCTURE: readonly Structure[] = [
  {
    name: 'auto_without_approval',
    value: ({ wpk }) => (wpk.spec.safety?.mode === 'auto' && wpk.spec.safety.approval_required !== true ? 1 : 0),
  },
  { name: 'no_dry_run', value: ({ wpk }) => (wpk.spec.safety?.dry_run_required === true ? 0 : 1) },
  {
    name: 'no_rollback',
    value: ({ wpk }) => (wpk.spec.safety?.rollback_enabled === true || wpk.spec.rollback?.enabled === true ? 0 : 1),
  },
  { name: 'trigger_webhook', value: (view) => triggered(view, 'webhook') },
  { name: 'trigger_event', value: (view) => triggered(view, 'event') },
  { name: 'submission_checked_out', value: ({ facts }) => (submissionRuns(signalsOf(facts)) ? 1 : 0) },
  { name: 'other_language', value: ({ facts }) => (facts.some((fact) => fact.code.length > 0) ? 1 : 0) },
]

const KINDS = CapabilityKind.anyOf.map((kind) => kind.const)

// What a rule weighs that no family of the training data is about, and whether data were followed to where they leave.
type Summary = { name: string; value: (violations: readonly Violation[]) => number }
const SUMMARY: readonly Summary[] = [
  { name: 'worst_finding', value: (found) => heaviest(found.filter(({ rule_id }) => !HYGIENE_RULES.has(rule_id))) },
  { name: 'data_followed', value: (found) => (found.some(({ flow }) => flow !== undefined) ? 1 : 0) },
]

/** The fixed order of the model's inputs. The trained model names the same list; another list is another model. */
export const FEATURE_NAMES: readonly string[] = [
  ...RULES.map((rule) => `rule:${rule.id}`),
  ...CAPABILITIES.map((name) => `can:${name}`),
  ...SIGNALS.map((signal) => `sign:${signal.name}`),
  ...STRUCTURE.map(({ name }) => `is:${name}`),
  ...KINDS.map((kind) => `kind:${kind}`),
  ...SUMMARY.map(({ name }) => `all:${name}`),
]

/** The feature vector of a package, each value from 0 to 1, in the order of `FEATURE_NAMES`. */
export function featuresOf(
  view: PackageView,
  violations: readonly Violation[],
  capabilities: readonly Capability[],
  details: readonly CapabilityDetail[],
): Float32Array {
  const signs = signalsOf(view.facts)
  const values = [
    ...RULES.map((rule) => ruleWeight(rule.id, violations)),
    ...CAPABILITIES.map((name) => (capabilities.includes(name) ? 1 : 0)),
    ...SIGNALS.map((signal) => (signs.has(signal.name) ? 1 : 0)),
    ...STRUCTURE.map(({ value }) => value(view)),
    ...KINDS.map((kind) => (details.some((one) => one.kind === kind) ? 1 : 0)),
    ...SUMMARY.map(({ value }) => value(violations)),
  ]
  // A value that is no number stays one: the model refuses it, and a person must look.
  return Float32Array.from(values)
}

// The trigger alone labels pull requests every day; the checkout alone is any test run. Together they run what a stranger sent.
const submissionRuns = (signs: ReadonlySet<string>): boolean =>
  signs.has('submission_trigger') && signs.has('checks_out_submission')

const ruleWeight = (id: string, violations: readonly Violation[]): number =>
  heaviest(violations.filter((violation) => violation.rule_id === id))

const heaviest = (violations: readonly Violation[]): number =>
  violations.reduce(
    (best, { severity, confidence }) => Math.max(best, SEVERITY_WEIGHT[severity] * CONFIDENCE_WEIGHT[confidence]),
    0,
  )
