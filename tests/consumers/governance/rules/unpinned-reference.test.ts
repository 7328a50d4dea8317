// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { unpinnedReference } from '../../../../consumers/governance/rules/unpinned-reference.ts'
import { handlers, ruleCases, uses } from './cases.ts'

ruleCases(unpinnedReference, {
  finds: [
    handlers(uses('third/action@main')),
    handlers(uses('third/action@v2')),
    handlers(uses('third/action')),
    'kubectl apply -f https://raw.githubusercontent.com/org/repo/main/install.yaml',
  ],
  leaves: [
    handlers(uses('third/action@0123456789abcdef0123456789abcdef01234567')),
    handlers(uses('./.github/actions/build')),
    handlers(uses('docker://alpine@sha256:0123')),
    'kubectl apply -f https://raw.githubusercontent.com/org/repo/v1.4.2/install.yaml',
    'kubectl apply -f ./manifests',
  ],
})
