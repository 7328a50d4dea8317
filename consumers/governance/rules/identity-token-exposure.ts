import type { Fact } from '../facts.ts'
import { inFields, isOn, sign } from './matching.ts'
import type { Rule } from './rule.ts'

/** WPK-P5-004: a token of the run lies where it is not needed. Advice only. */
export const identityTokenExposure: Rule = {
  id: 'WPK-P5-004',
  version: 1,
  name: 'identity token exposure',
  severity: 'medium',
  about:
    'A token of a service account that is mounted on purpose, the default service account, and credentials that a checkout is told to keep. `automountServiceAccountToken: false` and an account of its own are silent. Advice: it never holds a package by itself.',
  remediation: 'Give the workload an account of its own and mount no token that it does not use.',
  hygiene: true,
  check: (view) => inFields(view, ofField),
}

function ofField({ name, text, pointer }: Fact) {
  if (name === 'automountServiceAccountToken' && isOn(text))
    return sign('a token of the account is mounted', 'medium', 'medium')
  if (/^serviceAccount(?:Name)?$/.test(name) && text === 'default')
    return sign('the default account is used', 'low', 'medium')
  return name === 'persist-credentials' && isOn(text) && /\/with\//.test(pointer)
    ? sign('the checkout keeps its credentials', 'low', 'medium')
    : null
}
