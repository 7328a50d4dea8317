// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { weakTransport } from '../../../../consumers/governance/rules/weak-transport.ts'
import { api, packageWith } from '../packages.ts'
import { config, manifest, node, python, ruleCases } from './cases.ts'

ruleCases(weakTransport, {
  finds: [
    'curl -k https://files.example.com/a.tgz -o a.tgz',
    'wget --no-check-certificate https://files.example.com/a.tgz',
    'scp -o StrictHostKeyChecking=no app.tgz deploy@prod.example.com:/srv',
    'GIT_SSL_NO_VERIFY=true git clone https://git.example.com/a.git',
    'curl http://files.example.com/a.tgz -o a.tgz',
    config({ module: 'get_url', args: { url: 'https://a.example.com', validate_certs: false } }),
    packageWith([api({ url: 'http://api.example.com/v1', method: 'POST' })]),
    manifest({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', spec: { rules: [{ host: 'a.example.com' }] } }),
    python('requests.get(url, verify=False)'),
    node('const agent = new https.Agent({ rejectUnauthorized: false })'),
  ],
  leaves: [
    'curl --fail https://files.example.com/a.tgz -o a.tgz',
    'curl http://localhost:8080/health',
    'curl http://sink.shop.svc.cluster.local/x',
    config({ module: 'get_url', args: { url: 'https://a.example.com', validate_certs: true } }),
    packageWith([api({ url: 'http://10.0.0.4:8080/v1' })]),
    'kubectl exec db-0 -- cockroach sql --insecure',
    manifest({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      spec: { tls: [{ hosts: ['a.example.com'] }], rules: [{ host: 'a.example.com' }] },
    }),
    python('# verify=False\nrequests.get(url, verify=ca)'),
  ],
})
