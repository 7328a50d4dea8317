import { at, type Manifest } from '../manifests.ts'
import type { Call } from './matching.ts'
import { inCommands, sign } from './matching.ts'
import type { Finding, Rule } from './rule.ts'

/** WPK-P5-005: a service is opened to more than its tenant. */
export const networkExposure: Rule = {
  id: 'WPK-P5-005',
  version: 1,
  name: 'network exposure',
  severity: 'medium',
  about:
    'Services of the kinds NodePort and LoadBalancer or with external addresses, an Ingress for every host, rules that let every address in, and ports forwarded to all interfaces. ClusterIP and an Ingress with a host are silent.',
  remediation: 'Use ClusterIP, and an Ingress with the host that is meant.',
  hygiene: false,
  check: (view) => [...view.manifests.flatMap(ofManifest), ...inCommands(view, judge)],
}

const finding = ({ pointer, inText }: Manifest, path: string, message: string): Finding => ({
  pointer: inText ? pointer : pointer + path,
  severity: 'medium',
  confidence: 'low',
  message,
  matched: message,
})

function ofManifest(manifest: Manifest): Finding[] {
  const { kind, object } = manifest
  const spec = at(object, 'spec')
  if (kind === 'Service') {
    const found: Finding[] = []
    const type = at(spec, 'type')
    const internal = JSON.stringify(at(object, 'metadata', 'annotations') ?? '').match(/internal/i) !== null
    if (type === 'NodePort' || (type === 'LoadBalancer' && !internal))
      found.push(finding(manifest, '/spec/type', `the Service is of type ${type}`))
    if (Array.isArray(at(spec, 'externalIPs')) && (at(spec, 'externalIPs') as unknown[]).length > 0)
      found.push(finding(manifest, '/spec/externalIPs', 'the Service answers for addresses outside'))
    return found
  }
  if (kind === 'NetworkPolicy' && /"cidr":"(?:0\.0\.0\.0|::)\/0"/.test(JSON.stringify(at(spec, 'ingress') ?? '')))
    return [finding(manifest, '/spec/ingress', 'the policy lets every address in')]
  const rules = at(spec, 'rules')
  if (kind !== 'Ingress' || !Array.isArray(rules)) return []
  return rules.flatMap((rule: unknown, index) => {
    const host = at(rule, 'host')
    return host === undefined || host === '' || host === '*' || (typeof host === 'string' && host.startsWith('*.'))
      ? [finding(manifest, `/spec/rules/${index}`, 'the Ingress takes requests for every host')]
      : []
  })
}

function judge({ name, args, line }: Call) {
  if (/^(?:kubectl|oc)$/.test(name) && args.includes('expose') && /--type[= ](?:LoadBalancer|NodePort)/.test(line))
    return sign('a service is opened to the outside', 'medium', 'low')
  if (/^(?:kubectl|oc)$/.test(name) && args.includes('port-forward') && /--address[= ]0\.0\.0\.0/.test(line))
    return sign('a port is forwarded to all interfaces', 'medium', 'medium')
  return /^(?:aws|gcloud|az)$/.test(name) &&
    /0\.0\.0\.0\/0/.test(line) &&
    /authorize-security-group-ingress|firewall-rules|nsg rule/.test(line)
    ? sign('every address is let in', 'medium', 'medium')
    : null
}
