// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { crossTenantScope } from '../../../../consumers/governance/rules/cross-tenant-scope.ts'
import { config, manifest, ruleCases } from './cases.ts'

ruleCases(crossTenantScope, {
  finds: [
    config({ action: 'restart', namespace: '*' }),
    config({ action: 'delete', namespace: 'kube-system' }),
    'kubectl delete pods -l app=web --all-namespaces',
    'kubectl -n kube-system apply -f patch.yaml',
  ],
  leaves: [
    config({ action: 'restart', namespace: 'shop' }),
    config({ action: 'restart', namespace: '${NAMESPACE}' }),
    'kubectl get pods --all-namespaces',
    manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop' } }),
  ],
})
