import { expect } from 'chai'
import { autoWithoutApproval } from '../../../../consumers/governance/rules/auto-without-approval.ts'
import type { Wpk } from '../../../../schemas/wpk.ts'
import { findings, packageWith } from '../packages.ts'
import { ruleCases } from './cases.ts'

type Safety = NonNullable<Wpk['spec']['safety']>
const found = (safety: Safety) => findings(autoWithoutApproval, packageWith([], { safety }))

describe('WPK-P3-001 auto run without approval', () => {
  for (const safety of [
    { mode: 'auto', approval_required: false },
    { mode: 'auto' },
    { mode: 'auto', approval_required: false, dry_run_required: true, rollback_enabled: true },
  ] satisfies Safety[]) {
    it(`finds ${JSON.stringify(safety)}`, () => {
      expect(found(safety)).to.have.length(1)
      expect(found(safety)[0]).to.include({
        severity: 'critical',
        confidence: 'high',
        pointer: '/spec/safety/mode',
        policy: 'P-3',
      })
    })
  }

  for (const safety of [
    { mode: 'manual', approval_required: false },
    { mode: 'auto', approval_required: true },
    {},
  ] satisfies Safety[]) {
    it(`is silent on ${JSON.stringify(safety)}`, () => {
      expect(found(safety)).to.deep.equal([])
    })
  }
})

const runs = (safety: Safety, spec: Partial<Wpk['spec']> = {}) => packageWith([], { safety, ...spec })
ruleCases(autoWithoutApproval, {
  finds: [
    runs({ mode: 'auto' }),
    runs(
      { mode: 'auto', approval_required: false },
      { triggers: [{ type: 'schedule', config: { cron: '0 4 * * *' } }] },
    ),
    runs({ mode: 'auto', dry_run_required: true, rollback_enabled: true }, { rollback: { enabled: true } }),
  ],
  leaves: [
    runs({ mode: 'manual' }),
    runs(
      { mode: 'auto', approval_required: true },
      { triggers: [{ type: 'event', config: { source: 'prometheus' } }] },
    ),
    runs({ mode: 'manual', approval_required: false, dry_run_required: false }),
  ],
})
