import type { FlowStep, Severity, Verdict, Violation } from '../../schemas/verdict.ts'
import { isAskedElsewhere } from './outside-checks.ts'
import { ALL_RULES } from './rules/index.ts'

const LEVEL: Record<Severity, 'error' | 'warning' | 'note'> = {
  critical: 'error',
  high: 'error',
  medium: 'warning',
  low: 'note',
}
// What code hosts sort by: their own scale of 0 to 10.
const SECURITY_SEVERITY: Record<Severity, string> = { critical: '9.5', high: '8.0', medium: '5.5', low: '2.0' }
const RANK: Record<Violation['confidence'], number> = { high: 90, medium: 60, low: 30 }

/** A verdict as a SARIF 2.1.0 log: one run, its rules, one result a finding with the JSON Pointer as logical location. */
export function sarifOf(verdict: Verdict): Record<string, unknown> {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'atom-governance',
            // The rule set names every rule and its version, so it is the version of what judged.
            version: verdict.ruleset,
            rules: ALL_RULES.map((rule) => ({
              id: rule.id,
              name: rule.name,
              shortDescription: { text: rule.name },
              fullDescription: { text: rule.about },
              help: { text: rule.remediation },
              defaultConfiguration: { level: LEVEL[rule.severity] },
              properties: { policy: `P-${rule.id.slice(5, 6)}`, 'security-severity': SECURITY_SEVERITY[rule.severity] },
            })),
          },
        },
        artifacts: [{ hashes: { 'sha-256': verdict.digest.replace('sha256:', '') }, roles: ['analysisTarget'] }],
        results: verdict.violations.map(resultOf),
        invocations: [
          {
            executionSuccessful: verdict.checks.every(({ name, status }) => status === 'ran' || isAskedElsewhere(name)),
            toolExecutionNotifications: verdict.checks
              .filter(({ status }) => status !== 'ran')
              .map(({ name, status, detail }) => ({
                level: isAskedElsewhere(name) ? 'note' : 'error',
                message: { text: `the check ${name} is ${status}${detail === undefined ? '' : `: ${detail}`}` },
              })),
          },
        ],
        properties: {
          risk_score: verdict.risk_score,
          decision: verdict.decision,
          capabilities: verdict.capabilities,
          model: verdict.model,
        },
      },
    ],
  }
}

const resultOf = (one: Violation): Record<string, unknown> => ({
  ruleId: one.rule_id,
  ruleIndex: ALL_RULES.findIndex(({ id }) => id === one.rule_id),
  level: LEVEL[one.severity],
  rank: RANK[one.confidence],
  message: { text: `${one.message}. ${one.remediation}` },
  locations: [{ logicalLocations: [{ fullyQualifiedName: one.pointer, kind: 'value' }] }],
  partialFingerprints: { 'matchedFact/v1': one.fingerprint },
  ...(one.flow === undefined ? {} : { codeFlows: [{ threadFlows: [{ locations: one.flow.map(flowLocation) }] }] }),
  ...(one.suppressed === undefined
    ? {}
    : {
        suppressions: [
          {
            kind: 'external',
            status: 'accepted',
            justification: one.suppressed.reason,
            properties: { owner: one.suppressed.owner, expires: one.suppressed.expires },
          },
        ],
      }),
  properties: {
    policy: one.policy,
    severity: one.severity,
    confidence: one.confidence,
    ...(one.range === undefined ? {} : { range: one.range }),
  },
})

const flowLocation = ({ role, pointer, range }: FlowStep): Record<string, unknown> => ({
  location: { logicalLocations: [{ fullyQualifiedName: pointer, kind: 'value' }] },
  kinds: [role],
  ...(range === undefined ? {} : { properties: { range } }),
})
