import type { Fact } from '../facts.ts'
import type { Call } from './matching.ts'
import { inCommands, inFields, sign } from './matching.ts'
import type { Rule } from './rule.ts'

const CHANGES = /^(?:apply|create|delete|patch|replace|scale|annotate|label|set|edit|rollout|drain|cordon|taint|exec)$/

/** WPK-P5-002: it reaches beyond the namespace of its tenant. */
export const crossTenantScope: Rule = {
  id: 'WPK-P5-002',
  version: 1,
  name: 'cross-tenant scope',
  severity: 'medium',
  about:
    'Namespace `*`, the namespaces of the cluster itself, and commands that change things in all namespaces. A named namespace of one tenant, or one given by a variable, is silent.',
  remediation: 'Name the one namespace that is meant.',
  hygiene: false,
  check: (view) => [...inFields(view, ofField), ...inCommands(view, judge)],
}

function ofField({ name, text, kind }: Fact) {
  if (kind !== 'string' && kind !== 'manifest') return null
  if (!/^(?:namespaces?|target_namespaces?|tenants?|tenant_id)$/.test(name)) return null
  if (text === '*' || /^all$/i.test(text)) return sign('every namespace is meant', 'medium', 'low')
  if (kind === 'manifest' && text === 'default') return sign('the namespace that everybody uses is meant', 'low', 'low')
  return /^(?:kube-system|kube-public|kube-node-lease|istio-system|openshift-\w+)$/.test(text)
    ? sign('a namespace of the cluster itself is meant', 'medium', 'low')
    : null
}

function judge({ name, args, line }: Call) {
  if (
    !/^(?:kubectl|oc|helm)$/.test(name) ||
    !args.some((text) => CHANGES.test(text) || /^(?:install|upgrade|uninstall)$/.test(text))
  )
    return null
  if (args.some((text) => /^(?:-A|--all-namespaces(?:=true)?)$/.test(text)))
    return sign('things in every namespace are changed', 'medium', 'medium')
  return /(?:-n|--namespace)[ =]?(?:kube-system|kube-public)\b/.test(line)
    ? sign('a namespace of the cluster itself is changed', 'medium', 'low')
    : null
}
