import { at, type Container, containersOf } from '../manifests.ts'
import type { PackageView } from '../package-view.ts'
import { type Finding, firstOf, type Rule } from './rule.ts'

const UNSAFE_SYSCTL =
  /^(?:kernel\.(?!shm_rmid_forced)|net\.(?!ipv4\.(?:ip_local_port_range|tcp_syncookies|ping_group_range|ip_unprivileged_port_start|tcp_keepalive|tcp_fin_timeout))|fs\.|vm\.)/

/** WPK-P3-012: a container keeps rights it could give away. Advice only. */
export const weakHardening: Rule = {
  id: 'WPK-P3-012',
  version: 2,
  name: 'weak workload hardening',
  severity: 'low',
  about:
    'Containers that run as root, may write to their own file system, run without a seccomp profile, unmask `/proc` or set unsafe sysctls. One finding a container names all that is missing. Advice: it never holds a package by itself.',
  remediation: 'Set runAsNonRoot, readOnlyRootFilesystem, seccompProfile RuntimeDefault and drop all capabilities.',
  hygiene: true,
  check: (view) => [...containers(view), ...sysctls(view)],
}

const containers = (view: PackageView): Finding[] =>
  firstOf(view.manifests.flatMap(containersOf), (one) => lacksOf(one).length > 0).map((container) => {
    const lacks = lacksOf(container)
    return {
      pointer: container.pointer,
      severity: 'low',
      confidence: lacks.some((text) => text.includes(':')) ? 'high' : 'low',
      message: `the container could be harder: ${lacks.join(', ')}`,
      matched: `${String(container.fields.name ?? '')} ${lacks.join(' ')}`,
    }
  })

function lacksOf({ fields, pod }: Container): string[] {
  const own = (key: string): unknown => at(fields, 'securityContext', key) ?? at(pod, 'securityContext', key)
  const lacks: string[] = []
  if (own('runAsUser') === 0) lacks.push('runAsUser: 0')
  else if (own('runAsNonRoot') === false) lacks.push('runAsNonRoot: false')
  else if (own('runAsNonRoot') !== true && own('runAsUser') === undefined) lacks.push('may run as root')
  const readOnly = at(fields, 'securityContext', 'readOnlyRootFilesystem')
  if (readOnly === false) lacks.push('readOnlyRootFilesystem: false')
  else if (readOnly !== true) lacks.push('writable root file system')
  const seccomp = at(own('seccompProfile'), 'type')
  if (seccomp === 'Unconfined') lacks.push('seccompProfile: Unconfined')
  else if (seccomp === undefined) lacks.push('no seccomp profile')
  if (at(fields, 'securityContext', 'procMount') === 'Unmasked') lacks.push('procMount: Unmasked')
  return lacks
}

const sysctls = (view: PackageView): Finding[] =>
  view.facts
    .filter(({ name, text, path }) => name === 'name' && /\/sysctls\/\d+\/name$/.test(path) && UNSAFE_SYSCTL.test(text))
    .map(({ pointer, text }) => ({
      pointer,
      severity: 'low',
      confidence: 'medium',
      message: `the pod sets ${text.slice(0, 60)}, which reaches beyond it`,
      matched: text,
    }))
