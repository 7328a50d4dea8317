// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { rbacEscalation } from '../../../../consumers/governance/rules/rbac-escalation.ts'
import { manifest, ruleCases } from './cases.ts'

const role = (rule: Record<string, unknown>) =>
  manifest({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', rules: [rule] })
const bound = (subject: string, to = 'view') =>
  manifest({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    roleRef: { name: to },
    subjects: [{ kind: 'Group', name: subject }],
  })

ruleCases(rbacEscalation, {
  finds: [
    role({ resources: ['clusterroles'], verbs: ['escalate'] }),
    role({ resources: ['users'], verbs: ['impersonate'] }),
    role({ resources: ['rolebindings'], verbs: ['create'] }),
    role({ resources: ['endpoints'], verbs: ['update'] }),
    bound('system:anonymous'),
  ],
  leaves: [
    role({ resources: ['rolebindings'], verbs: ['get', 'list'] }),
    role({ resources: ['pods'], verbs: ['create'] }),
    bound('shop-operators'),
    bound('system:authenticated', 'system:discovery'),
  ],
})
