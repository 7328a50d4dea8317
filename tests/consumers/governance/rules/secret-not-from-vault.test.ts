// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { secretNotFromVault } from '../../../../consumers/governance/rules/secret-not-from-vault.ts'
import { manifest, ruleCases } from './cases.ts'

const secret = (more: Record<string, unknown>) =>
  manifest({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, ...more })

ruleCases(secretNotFromVault, {
  finds: [
    secret({ stringData: { password: 'correct-horse' } }),
    secret({ data: { password: 'Y29ycmVjdC1ob3JzZQ==' } }),
    'kubectl create secret generic db --from-literal=password=correct-horse',
  ],
  leaves: [
    secret({ stringData: { password: 'vault:kv/data/shop#password' } }),
    secret({ type: 'kubernetes.io/service-account-token' }),
    'kubectl create secret generic db --from-literal=password="$DB_PASSWORD"',
    'kubectl get secret db',
    manifest({ apiVersion: 'v1', kind: 'ConfigMap', data: { mode: 'ci' } }),
  ],
})
