import { expect } from 'chai'
import fc from 'fast-check'
import { type Circumstances, decideByPolicy } from '../../../../producers/marketplace/policy/decide-by-policy.ts'
import { currentPolicy, type PolicyDocument } from '../../../../schemas/policy/policy-document.ts'
import type { Severity, Verdict, Violation } from '../../../../schemas/verdict.ts'
import { holds } from '../../../support/property.ts'
import { verdictOf } from '../fixture.ts'

const violation = (severity: Severity): Violation => ({
  rule_id: 'WPK-P1-001',
  policy: 'P-1',
  severity,
  confidence: 'high',
  pointer: '',
  message: 'x',
  remediation: 'y',
  fingerprint: 'f'.repeat(64),
})
const harmless = verdictOf(`sha256:${'a'.repeat(64)}`)
const before = { capabilities: ['network', 'shell'] }

describe('producers/marketplace/policy/decide-by-policy', () => {
  it('publishes a harmless step on from what a person approved', () => {
    const verdict = {
      ...harmless,
      capabilities: ['shell'],
      violations: [violation('low'), violation('medium')],
      risk_score: 0.299,
    }
    expect(decideByPolicy(verdict, 'manual', before).outcome).to.equal('publish')
  })

  const reasons: [string, Partial<Verdict>, 'manual' | 'auto', typeof before | null, string][] = [
    ['a package that may run without a person', {}, 'auto', before, 'safety.mode'],
    ['a package of which no person approved a version', {}, 'manual', null, 'no person approved'],
    ['a verdict that asks for review', { decision: 'review' }, 'manual', before, 'decided review'],
    ['a verdict that blocks', { decision: 'block' }, 'manual', before, 'decided block'],
    ['risk at the threshold', { risk_score: currentPolicy.risk.review_from }, 'manual', before, 'is not below 0.3'],
    [
      'a high finding',
      { violations: [violation('high')] },
      'manual',
      before,
      'finding(s) that the policy holds (WPK-P1-001)',
    ],
    [
      'a critical finding',
      { violations: [violation('critical')] },
      'manual',
      before,
      'finding(s) that the policy holds (WPK-P1-001)',
    ],
    ['a new capability', { capabilities: ['shell', 'cluster_admin'] }, 'manual', before, 'gained cluster_admin'],
    ['a verdict that names no check', { checks: [] }, 'manual', before, 'names no check'],
    [
      'a check that failed',
      { checks: [{ name: 'model', version: '1', status: 'failed' }] },
      'manual',
      before,
      'not every check ran: model',
    ],
    [
      'a check that was not there',
      { checks: [{ name: 'model', version: '1', status: 'unavailable' }] },
      'manual',
      before,
      'not every check ran: model',
    ],
  ]
  for (const [what, change, mode, approved, reason] of reasons)
    it(`sends ${what} to a reviewer, and says so`, () => {
      const decision = decideByPolicy({ ...harmless, ...change }, mode, approved)
      expect([decision.outcome, decision.policy]).to.deep.equal(['review', currentPolicy.version])
      expect(decision.reason).to.contain(reason)
    })

  it('publishes nothing that any one condition holds back, whatever else is true', () => {
    const severity = fc.constantFrom<Severity>('low', 'medium', 'high', 'critical')
    const verdict = fc.record({
      risk_score: fc.double({ min: 0, max: 1, noNaN: true }),
      decision: fc.constantFrom<Verdict['decision']>('pass', 'review', 'block'),
      violations: fc.array(severity.map(violation), { maxLength: 3 }),
      capabilities: fc.subarray(['network', 'shell', 'secrets', 'cluster']),
      checks: fc.array(
        fc.record({
          name: fc.constant('c'),
          version: fc.constant('1'),
          status: fc.constantFrom('ran' as const, 'failed' as const, 'unavailable' as const),
        }),
        { maxLength: 2 },
      ),
    })
    const approved = fc.option(fc.record({ capabilities: fc.subarray(['network', 'shell', 'secrets', 'cluster']) }))
    return holds(
      fc.property(verdict, fc.constantFrom('manual' as const, 'auto' as const), approved, (change, mode, old) => {
        const { outcome } = decideByPolicy({ ...harmless, ...change }, mode, old)
        const allowed =
          mode === 'manual' &&
          old !== null &&
          change.decision === 'pass' &&
          change.risk_score < 0.3 &&
          change.violations.every((one) => ['low', 'medium'].includes(one.severity)) &&
          change.capabilities.every((one) => old.capabilities.includes(one)) &&
          change.checks.length > 0 &&
          change.checks.every((one) => one.status === 'ran')
        expect(outcome).to.equal(allowed ? 'publish' : 'review')
      }),
      500,
    )
  })

  describe('an accepted finding', () => {
    const accepted = { ...violation('high'), fingerprint: 'a'.repeat(64) }
    const other = (severity: Severity) => ({ ...violation(severity), fingerprint: 'b'.repeat(64) })
    const remembered = [{ fingerprint: accepted.fingerprint, risk_score: 0.6 }]
    const risky = (...violations: Violation[]) =>
      ({ ...harmless, decision: 'review', risk_score: 0.6, violations }) as Verdict
    const outcome = (verdict: Verdict, more: Circumstances = { accepted: remembered }, seen: string[] = []) =>
      decideByPolicy(verdict, 'manual', { ...before, fingerprints: seen }, more)

    it('does not hold the next version, and neither does the risk it caused', () => {
      const decided = outcome(risky(accepted, other('low')))
      expect(decided).to.deep.equal({
        outcome: 'publish',
        policy: 1,
        reason: 'No risk above what a person approved before. 1 accepted finding(s) did not count.',
      })
      expect(outcome(risky(accepted), {}).outcome).to.equal('review')
    })

    it('excuses nothing else: another finding, a higher risk, a package that runs by itself', () => {
      expect(outcome(risky(accepted, other('high'))).reason).to.contain('finding(s) that the policy holds')
      expect(outcome(risky(accepted, other('medium'))).reason).to.contain('risk 0.6 is not below')
      expect(outcome({ ...risky(accepted), risk_score: 0.61 }).reason).to.contain('risk 0.61 is not below')
      expect(decideByPolicy(risky(accepted), 'auto', before, { accepted: remembered }).outcome).to.equal('review')
      expect(outcome(risky(other('high'))).reason).to.not.contain('did not count')
    })

    it('leaves a medium finding alone that the approved version had', () => {
      expect(outcome(risky(accepted, other('medium')), undefined, ['b'.repeat(64)]).outcome).to.equal('publish')
    })
  })

  describe('a rule that the policy names', () => {
    const named = (action: 'reject' | 'review'): PolicyDocument => ({
      ...currentPolicy,
      version: 7,
      findings: {
        ...currentPolicy.findings,
        by_rule: { 'WPK-P1-001': { action, min_confidence: 'medium' } },
      },
    })
    const found = (confidence: Violation['confidence']) => ({
      ...harmless,
      violations: [{ ...violation('low'), confidence }],
    })

    it('rejects by machine, and says under which policy', () => {
      expect(decideByPolicy(found('high'), 'manual', before, { policy: named('reject') })).to.deep.equal({
        outcome: 'reject',
        policy: 7,
        reason: 'Policy 7 rejects what WPK-P1-001 finds.',
      })
    })

    it('asks for a review where it is less sure, or the policy says so, whatever the severity', () => {
      expect(decideByPolicy(found('low'), 'manual', before, { policy: named('reject') }).outcome).to.equal('review')
      expect(decideByPolicy(found('high'), 'manual', before, { policy: named('review') }).outcome).to.equal('review')
      expect(decideByPolicy(found('high'), 'manual', before).outcome).to.equal('publish')
    })
  })
})
