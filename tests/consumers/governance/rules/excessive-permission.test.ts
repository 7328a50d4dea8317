// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { excessivePermission } from '../../../../consumers/governance/rules/excessive-permission.ts'
import { packageWith, shell } from '../packages.ts'
import { manifest, onEvent, ruleCases, uses } from './cases.ts'

const asking = (...required_permissions: string[]) =>
  packageWith([shell('make')], { validation: { schema_version: 'v1', required_permissions } })
const role = (rule: Record<string, unknown>) =>
  manifest({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', rules: [rule] })
const binding = (name: string) =>
  manifest({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', roleRef: { kind: 'ClusterRole', name } })

ruleCases(excessivePermission, {
  finds: [
    asking('pods/*'),
    asking('write-all'),
    role({ apiGroups: [''], resources: ['pods'], verbs: ['*'] }),
    binding('cluster-admin'),
    onEvent('pull_request_target', [uses('actions/labeler@v5')]),
    'kubectl create clusterrolebinding me --clusterrole=cluster-admin --user=me',
  ],
  leaves: [
    asking('pods/get', 'pods/log'),
    role({ apiGroups: ['*'], resources: ['pods'], verbs: ['get', 'list'] }),
    binding('view'),
    onEvent('push', [uses('actions/checkout@v4')]),
    'kubectl create rolebinding me --clusterrole=view --user=me',
  ],
})
