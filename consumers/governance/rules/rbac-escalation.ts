import type { Manifest } from '../manifests.ts'
import { at, isFields } from '../manifests.ts'
import type { Finding, Rule } from './rule.ts'

const WRITES = /^(?:create|update|patch|delete|deletecollection|\*)$/
// Who may write these decides what others may do, or where their traffic goes.
const KEYS =
  /^(?:roles|rolebindings|clusterroles|clusterrolebindings|mutatingwebhookconfigurations|validatingwebhookconfigurations|certificatesigningrequests\/approval|serviceaccounts\/token|endpoints|endpointslices|nodes\/proxy|pods\/(?:exec|attach))$/

/** WPK-P5-003: rights with which one gives oneself more. */
export const rbacEscalation: Rule = {
  id: 'WPK-P5-003',
  version: 1,
  name: 'RBAC escalation',
  severity: 'high',
  about:
    'The verbs `bind`, `escalate` and `impersonate`; writing roles, bindings, webhooks, endpoints or tokens; approving certificates; rights for everybody, logged in or not; a cluster role that reads all secrets weighs less. Reading other things, and a binding to a named role for a named account, are silent.',
  remediation: 'Take the rule out, or leave it to the operators of the cluster.',
  hygiene: false,
  check: (view) => view.manifests.flatMap((manifest) => [...rulesOf(manifest), ...subjectsOf(manifest)]),
}

const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []

function rulesOf({ kind, object, pointer, inText }: Manifest): Finding[] {
  if (!/^(?:Cluster)?Role$/.test(kind) || !Array.isArray(object.rules)) return []
  return object.rules.flatMap((rule: unknown, index): Finding[] => {
    if (!isFields(rule)) return []
    const verbs = list(rule.verbs)
    const place = inText ? pointer : `${pointer}/rules/${index}`
    const verb = verbs.find((one) => /^(?:bind|escalate|impersonate)$/.test(one))
    if (verb !== undefined) return [finding(place, 'high', `the role may ${verb}`, `${kind} ${verb}`)]
    const resource = verbs.some((one) => WRITES.test(one))
      ? list(rule.resources).find((one) => KEYS.test(one))
      : undefined
    const reads = list(rule.resources).includes('secrets') && verbs.some((one) => /^(?:get|list|watch|\*)$/.test(one))
    if (resource === undefined && kind === 'ClusterRole' && reads)
      return [
        {
          ...finding(place, 'low', 'the role may read the secrets of every namespace', `${kind} reads secrets`),
          severity: 'medium',
        },
      ]
    return resource === undefined
      ? []
      : [finding(place, 'medium', `the role may write ${resource}`, `${kind} writes ${resource}`)]
  })
}

function subjectsOf({ kind, object, pointer, inText }: Manifest): Finding[] {
  if (!/^(?:Cluster)?RoleBinding$/.test(kind) || !Array.isArray(object.subjects)) return []
  // What everybody may read about the cluster itself is bound so by default.
  if (/^system:(?:basic-user|discovery|public-info-viewer)$/.test(String(at(object, 'roleRef', 'name')))) return []
  return object.subjects.flatMap((subject: unknown, index): Finding[] => {
    const name = String(at(subject, 'name') ?? '')
    if (!/^system:(?:anonymous|unauthenticated|authenticated|serviceaccounts)$/.test(name)) return []
    return [
      finding(
        inText ? pointer : `${pointer}/subjects/${index}/name`,
        'high',
        `the binding holds for ${name}`,
        `${kind} ${name}`,
      ),
    ]
  })
}

const finding = (pointer: string, confidence: Finding['confidence'], message: string, matched: string): Finding => ({
  pointer,
  severity: 'high',
  confidence,
  message,
  matched,
})
