import { createHash } from 'node:crypto'
import { messageOf } from '../../platform/errors.ts'
import { currentPolicy } from '../../schemas/policy/policy-document.ts'
import type { CapabilityDetail, Verdict, VerdictCheck, Violation } from '../../schemas/verdict.ts'
import type { Wpk } from '../../schemas/wpk.ts'
import { type Capability, capabilitiesOf } from './capabilities.ts'
import { capabilityDetailsOf } from './capability-details.ts'
import { contributionsOf } from './contributions.ts'
import { featuresOf } from './features.ts'
import { byGravity, compare } from './gravity.ts'
import type { LoadedModel } from './model.ts'
import { unanswered } from './outside-checks.ts'
import { viewOf } from './package-view.ts'
import { decisionOf, riskScore } from './risk.ts'
import { RULES, RULESET } from './rules/index.ts'
import { runRule } from './rules/rule.ts'

export type RuleResult = {
  violations: Violation[]
  checks: VerdictCheck[]
  capabilities: Capability[]
  details: CapabilityDetail[]
  features: Float32Array
}

/** Runs every rule on a package. A rule that fails is named in the checks and leaves the others alone. */
export function runRules(wpk: Wpk): RuleResult {
  const view = viewOf(wpk)
  const violations: Violation[] = []
  const checks: VerdictCheck[] = []
  const on = `${wpk.spec.handlers.length} handlers, ${view.facts.length} values that run or are sent`
  for (const rule of RULES) {
    const { status, detail } = collect(() => violations.push(...runRule(rule, view)))
    checks.push({ name: rule.id, version: String(rule.version), status, on, ...(detail === null ? {} : { detail }) })
  }
  violations.sort(byGravity)
  const capabilities = capabilitiesOf(view)
  const details = capabilityDetailsOf(view)
  const features = featuresOf(view, violations, capabilities, details)
  return { violations, checks, capabilities, details, features }
}

/** By kind and place: where a document has the same keys in another order, the list is the same. */
const byPlace = (a: CapabilityDetail, b: CapabilityDetail): number =>
  compare(a.kind, b.kind) ||
  compare(a.pointer, b.pointer) ||
  (a.range?.start ?? 0) - (b.range?.start ?? 0) ||
  compare(a.detail, b.detail)

function collect(run: () => void): { status: VerdictCheck['status']; detail: string | null } {
  try {
    run()
    return { status: 'ran', detail: null }
  } catch (error) {
    return { status: 'failed', detail: `could not judge the package: ${messageOf(error)}`.slice(0, 500) }
  }
}

/** Everything of a verdict that needs no model: plain data, so that a worker thread can hand it over. */
export type Ruled = RuleResult & { digest: string; format: string }

/** What the rules say of a package, with the features for the model. */
export const ruled = (content: Uint8Array, wpk: Wpk): Ruled => ({
  ...runRules(wpk),
  digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
  format: wpk.apiVersion,
})

/** The verdict on a package: a pure function of its bytes, the rules and the model. */
export const judge = (content: Uint8Array, wpk: Wpk, model: LoadedModel): Promise<Verdict> =>
  conclude(ruled(content, wpk), model)

/** Adds the model's word to that of the rules. A model that fails counts as a failed check: a person must look. */
export async function conclude(
  { violations, checks, capabilities, details, features, digest, format }: Ruled,
  model: LoadedModel,
): Promise<Verdict> {
  const probability = model.usable ? await model.probability(features).catch(() => null) : null
  const document: VerdictCheck = { name: 'document', version: format, status: 'ran', on: 'limits, syntax and shape' }
  const allChecks: VerdictCheck[] = [document, ...checks, ...unanswered, modelCheck(model, probability)]
  const risk = riskScore(violations, probability)
  return {
    risk_score: risk,
    decision: decisionOf(risk, violations, allChecks),
    policy_version: currentPolicy.version,
    violations,
    capabilities,
    digest,
    ruleset: RULESET,
    model: model.usable && probability !== null ? { version: model.card.version, sha256: model.card.sha256 } : null,
    checks: allChecks,
    ...(model.usable && probability !== null
      ? { contributions: contributionsOf(features, model.card, violations, probability) }
      : {}),
    capability_details: details.toSorted(byPlace),
  }
}

function modelCheck(model: LoadedModel, probability: number | null): VerdictCheck {
  if (!model.usable)
    return { name: 'model', version: 'none', status: 'unavailable', detail: `${model.reason}: the rules judged alone` }
  const { version, features } = model.card
  const ran: VerdictCheck = { name: 'model', version, status: 'ran', on: `${features.length} features` }
  return probability === null
    ? { ...ran, status: 'failed', detail: 'it has no answer to these features: a person must look' }
    : ran
}
