import type { PackageView } from '../package-view.ts'
import { startedFromOutside } from '../untrusted-trigger.ts'
import { findingAt, sign } from './matching.ts'
import { type Finding, firstOf, type Rule } from './rule.ts'

/** WPK-P5-006: what strangers send runs on a machine that others use too. */
export const sharedRunner: Rule = {
  id: 'WPK-P5-006',
  version: 1,
  name: 'shared runner',
  severity: 'medium',
  about:
    'A runner of one’s own under an event that strangers cause: what they leave behind stays for the next run. Without such an event it is a remark; hosted runners, which are thrown away, are silent.',
  remediation: 'Run what strangers send on machines that are thrown away.',
  hygiene: false,
  check: (view) => runners(view),
}

function runners(view: PackageView): Finding[] {
  const outside = startedFromOutside(view)
  const facts = firstOf(
    view.facts,
    ({ name, text }) => /^(?:runner|runners|runs_on|runs-on|agent|labels)$/.test(name) && /^self-hosted/.test(text),
  )
  return facts.map((fact) =>
    findingAt(
      fact,
      outside
        ? sign('what strangers send runs on an own machine', 'medium', 'medium')
        : sign('an own machine is used', 'low', 'low'),
      `${fact.name}: ${fact.text}`,
    ),
  )
}
