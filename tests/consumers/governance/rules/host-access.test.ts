// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { hostAccess } from '../../../../consumers/governance/rules/host-access.ts'
import { config, manifest, pod, ruleCases } from './cases.ts'

ruleCases(hostAccess, {
  finds: [
    pod({ hostPID: true }),
    pod({ volumes: [{ name: 'root', hostPath: { path: '/' } }] }),
    pod({}, { ports: [{ containerPort: 80, hostPort: 80 }] }),
    'docker run -v /var/run/docker.sock:/var/run/docker.sock tool',
    'docker run --pid=host tool',
    'nsenter -t 1 -m sh',
    config({ command: 'docker build .', env: { DOCKER_HOST: 'tcp://docker:2375' } }),
  ],
  leaves: [
    pod({ hostPID: false, volumes: [{ name: 'tmp', emptyDir: {} }] }),
    pod({ volumes: [{ name: 'c', configMap: { name: 'c' } }] }),
    pod({ volumes: [{ name: 'tz', hostPath: { path: '/etc/localtime' } }] }),
    'docker run -v "$PWD":/src tool',
    'docker ps',
    manifest({ apiVersion: 'v1', kind: 'ConfigMap', data: { note: 'hostPID is off' } }),
  ],
})
