// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { knownBadDependency } from '../../../../consumers/governance/rules/known-bad-dependency.ts'
import { handlers, ruleCases, uses } from './cases.ts'

ruleCases(knownBadDependency, {
  finds: [
    handlers(uses('tj-actions/changed-files@v40')),
    handlers(uses('hashicorp/vault-action@v2.1.0')),
    'npm install event-stream@3.3.6',
    'pip install ctx==0.2.2',
  ],
  leaves: [
    handlers(uses('tj-actions/changed-files@v46.0.5')),
    handlers(uses('hashicorp/vault-action@v3')),
    handlers(uses('hashicorp/setup-terraform@v1')),
    'npm install event-stream@4.0.1',
    'npm install debug@4.4.3',
  ],
})
