import type { Manifest } from '../manifests.ts'
import { at, isFields } from '../manifests.ts'
import type { PackageView } from '../package-view.ts'
import { runsForStrangers } from '../untrusted-trigger.ts'
import { type Call, inCommands, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

const POWERFUL =
  /^(?:cluster-admin|system:masters|admin:org|owner|Owner|roles\/owner|roles\/editor|AdministratorAccess)$/

/** WPK-P5-001: more rights than the handlers use. */
export const excessivePermission: Rule = {
  id: 'WPK-P5-001',
  version: 1,
  name: 'excessive permission',
  severity: 'high',
  about:
    'Wildcards in `/spec/validation/required_permissions` and in roles of the cluster, `cluster-admin`, `write-all`, policies of a cloud that allow everything, and default rights under an event that strangers cause. Named verbs on named resources are silent.',
  remediation: 'Name the verbs and resources that the handlers use.',
  hygiene: false,
  check: (view) => [
    ...declared(view),
    ...view.manifests.flatMap(ofManifest),
    ...undeclared(view),
    ...inCommands(view, judge),
  ],
}

const finding = (pointer: string, message: string, matched: string, confidence: Finding['confidence']): Finding => ({
  pointer,
  severity: 'high',
  confidence,
  message,
  matched,
})

const declared = ({ wpk }: PackageView): Finding[] =>
  (wpk.spec.validation?.required_permissions ?? []).flatMap((permission, index) => {
    const wide = /(?:^|[/:])\*(?:$|[/:])|^(?:write-all|cluster-admin|admin|root)$/.test(permission)
    return wide
      ? [
          finding(
            `/spec/validation/required_permissions/${index}`,
            `the package asks for ${permission.slice(0, 60)}`,
            permission,
            'high',
          ),
        ]
      : []
  })

function ofManifest(manifest: Manifest): Finding[] {
  const { kind, object, pointer, inText } = manifest
  const step = (path: string): string => (inText ? pointer : pointer + path)
  const role = at(object, 'roleRef', 'name')
  if (/^(?:Cluster)?RoleBinding$/.test(kind) && typeof role === 'string' && POWERFUL.test(role))
    return [finding(step('/roleRef/name'), `the binding gives ${role}`, `${kind} ${role}`, 'high')]
  if (!/^(?:Cluster)?Role$/.test(kind) || !Array.isArray(object.rules)) return []
  return object.rules.flatMap((rule: unknown, index) => {
    if (!isFields(rule) || rule.nonResourceURLs !== undefined) return []
    const wide = ['verbs', 'resources'].filter(
      (key) => Array.isArray(rule[key]) && (rule[key] as unknown[]).includes('*'),
    )
    const first = wide[0]
    if (first === undefined) return []
    const place = step(`/rules/${index}/${first}`)
    return [
      finding(
        place,
        `the role allows every ${wide.map((key) => (key === 'verbs' ? 'verb' : 'resource')).join(' and ')}`,
        `${kind} ${JSON.stringify(rule)}`,
        wide.length === 2 ? 'high' : 'medium',
      ),
    ]
  })
}

/** Under an event of strangers the default rights of the run's token are theirs to use. */
function undeclared(view: PackageView): Finding[] {
  const { wpk } = view
  if (!runsForStrangers(view) || (wpk.spec.validation?.required_permissions ?? []).length > 0) return []
  const uses = view.facts.some(({ name, handler }) => handler >= 0 && name === 'uses')
  if (!uses) return []
  const message = 'strangers start it and it declares no permissions: the run has the default ones'
  return [
    {
      pointer: wpk.spec.validation === undefined ? '/spec' : '/spec/validation',
      severity: 'medium',
      confidence: 'low',
      message,
      matched: message,
    },
  ]
}

function judge({ name, args, line }: Call) {
  if (
    /^(?:kubectl|oc)$/.test(name) &&
    /\bcreate (?:clusterrolebinding|rolebinding)\b|\badm policy add-(?:cluster-)?role/.test(line) &&
    /--clusterrole[= ]cluster-admin|--role[= ]cluster-admin|\bcluster-admin\b/.test(line)
  )
    return sign('a binding gives cluster-admin', 'high', 'high')
  if (/^(?:kubectl|oc)$/.test(name) && /\bcreate (?:cluster)?role\b/.test(line) && /--verb[= ]['"]?\*/.test(line))
    return sign('a role allows every verb', 'high', 'high')
  if (
    name === 'chmod' &&
    args.some((text) => /^(?:0?777|a\+rwx|ugo\+rwx)$/.test(text)) &&
    args.some((text) => /^\/(?:etc|usr|var|home|root|opt|bin|srv)\b/.test(text))
  )
    return sign('everybody may write a directory of the machine', 'medium', 'low')
  if (name === 'aws' && /AdministratorAccess/.test(line))
    return sign('a cloud account gets every right', 'high', 'high')
  if (name === 'gcloud' && args.some((text) => /^(?:--role=)?roles\/(?:owner|editor)$/.test(text)))
    return sign('a cloud account gets every right', 'high', 'high')
  return name === 'az' && /role assignment create/.test(line) && /--role[= ]['"]?Owner/.test(line)
    ? sign('a cloud account gets every right', 'high', 'high')
    : null
}
