import type { Rule } from './rule.ts'

/** WPK-P3-001: the package runs on its own and nobody is asked. */
export const autoWithoutApproval: Rule = {
  id: 'WPK-P3-001',
  version: 1,
  name: 'auto run without approval',
  severity: 'critical',
  about:
    '`/spec/safety`: mode `auto` while `approval_required` is not true. Nobody sees a run before it happens. Mode `manual`, or `auto` with approval, is silent.',
  remediation: 'Set safety.mode to manual, or approval_required to true.',
  hygiene: false,
  check: ({ wpk }) => {
    const { safety } = wpk.spec
    if (safety?.mode !== 'auto' || safety.approval_required === true) return []
    return [
      {
        pointer: '/spec/safety/mode',
        severity: 'critical',
        confidence: 'high',
        message: 'the package runs by itself (mode auto) and asks for no approval',
        matched: 'mode auto without approval',
      },
    ]
  },
}
