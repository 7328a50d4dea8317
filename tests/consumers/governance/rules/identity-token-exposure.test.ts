// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { identityTokenExposure } from '../../../../consumers/governance/rules/identity-token-exposure.ts'
import { handlers, pod, ruleCases, uses } from './cases.ts'

ruleCases(identityTokenExposure, {
  finds: [
    pod({ automountServiceAccountToken: true }),
    pod({ serviceAccountName: 'default' }),
    handlers(uses('actions/checkout@v4', { with: { 'persist-credentials': true } })),
  ],
  leaves: [
    pod({ automountServiceAccountToken: false }),
    pod({ serviceAccountName: 'worker' }),
    handlers(uses('actions/checkout@v4', { with: { 'persist-credentials': false } })),
  ],
})
