// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { networkExposure } from '../../../../consumers/governance/rules/network-exposure.ts'
import { manifest, ruleCases } from './cases.ts'

const service = (spec: Record<string, unknown>, annotations: Record<string, string> = {}) =>
  manifest({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', annotations }, spec })
const ingress = (host?: string) =>
  manifest({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    spec: { rules: [host === undefined ? {} : { host }] },
  })

ruleCases(networkExposure, {
  finds: [
    service({ type: 'NodePort' }),
    service({ type: 'LoadBalancer' }),
    service({ externalIPs: ['203.0.113.7'] }),
    ingress('*'),
    ingress(),
    'kubectl expose deployment web --type=LoadBalancer',
  ],
  leaves: [
    service({ type: 'ClusterIP' }),
    service({ type: 'LoadBalancer' }, { 'networking.gke.io/load-balancer-type': 'Internal' }),
    ingress('shop.example.com'),
    'kubectl expose deployment web',
  ],
})
