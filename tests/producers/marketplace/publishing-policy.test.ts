import { expect } from 'chai'
import fc from 'fast-check'
import { decideByPolicy, REVIEW_THRESHOLD } from '../../../producers/marketplace/publishing-policy.ts'
import type { Severity, Verdict, Violation } from '../../../schemas/verdict.ts'
import { holds } from '../../support/property.ts'
import { verdictOf } from './fixture.ts'

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

describe('producers/marketplace/publishing-policy', () => {
  it('publishes a harmless step on from what a person approved', () => {
    const verdict = {
      ...harmless,
      capabilities: ['shell'],
      violations: [violation('low'), violation('medium')],
      risk_score: 0.299,
    }
    expect(decideByPolicy(verdict, 'manual', before).publish).to.equal(true)
  })

  const reasons: [string, Partial<Verdict>, 'manual' | 'auto', typeof before | null, string][] = [
    ['a package that may run without a person', {}, 'auto', before, 'safety.mode'],
    ['a package of which no person approved a version', {}, 'manual', null, 'no person approved'],
    ['a verdict that asks for review', { decision: 'review' }, 'manual', before, 'decided review'],
    ['a verdict that blocks', { decision: 'block' }, 'manual', before, 'decided block'],
    ['risk at the threshold', { risk_score: REVIEW_THRESHOLD }, 'manual', before, 'is not below 0.3'],
    ['a high finding', { violations: [violation('high')] }, 'manual', before, 'high or critical'],
    ['a critical finding', { violations: [violation('critical')] }, 'manual', before, 'high or critical'],
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
      expect(decision.publish).to.equal(false)
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
        const { publish } = decideByPolicy({ ...harmless, ...change }, mode, old)
        const allowed =
          mode === 'manual' &&
          old !== null &&
          change.decision === 'pass' &&
          change.risk_score < 0.3 &&
          change.violations.every((one) => ['low', 'medium'].includes(one.severity)) &&
          change.capabilities.every((one) => old.capabilities.includes(one)) &&
          change.checks.length > 0 &&
          change.checks.every((one) => one.status === 'ran')
        expect(publish).to.equal(allowed)
      }),
      500,
    )
  })
})
