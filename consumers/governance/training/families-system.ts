import { type Family, manifest, pairOf, pod, python, role, shell, shellPair } from './fragments.ts'

/** Families about rights over machines and clusters. */
export const SYSTEM_FAMILIES: readonly Family[] = [
  {
    name: 'privileged',
    pair: (random) =>
      random.pick([
        () =>
          pairOf(
            pod({}, { securityContext: { privileged: true } }),
            pod({}, { securityContext: { privileged: false } }),
          ),
        () =>
          pairOf(
            pod({}, { securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }),
            pod({}, { securityContext: { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } } }),
          ),
        () =>
          pairOf(
            shell('docker run --privileged -v "$PWD:/w" tools:2.1 scan'),
            shell('docker run --read-only -v "$PWD:/w" tools:2.1 scan'),
          ),
      ])(),
  },
  {
    name: 'host-access',
    pair: (random) =>
      random.pick([
        () => pairOf(pod({ hostPID: true }), pod({ hostPID: false })),
        () => pairOf(pod({ hostNetwork: true }), pod({ dnsPolicy: 'ClusterFirst' })),
        () =>
          pairOf(
            pod({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
            pod({ volumes: [{ name: 'v', emptyDir: {} }] }),
          ),
        () =>
          pairOf(
            pod({ volumes: [{ name: 's', hostPath: { path: '/var/run/docker.sock' } }] }),
            pod({ volumes: [{ name: 's', configMap: { name: 'settings' } }] }),
          ),
      ])(),
  },
  {
    name: 'access-rights',
    pair: (random) => {
      const sound = role([{ apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list'] }])
      return pairOf(
        role([
          random.pick([
            { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
            { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] },
            { apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['bind', 'escalate'] },
          ]),
        ]),
        sound,
      )
    },
  },
  {
    name: 'powerful-binding',
    pair: (random) => {
      const binding = (name: string) =>
        manifest({
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: 'operator' },
          roleRef: { kind: 'ClusterRole', name },
          subjects: [{ kind: 'ServiceAccount', name: 'operator' }],
        })
      return pairOf(binding('cluster-admin'), binding(random.pick(['view', 'shop-reader'])))
    },
  },
  shellPair('persistence', () => [
    ['echo "* * * * * /tmp/.x" >> /etc/cron.d/x', 'crontab -l'],
    ['echo "$KEY" >> ~/.ssh/authorized_keys', 'ls -l ~/.ssh/known_hosts'],
    ['echo "/tmp/.x &" >> ~/.bashrc', 'echo "PATH=$PATH:/opt/bin" >> build.env'],
    ['cp x.service /etc/systemd/system/\nsystemctl enable x', 'systemctl status nginx'],
  ]),
  {
    name: 'persistence-code',
    pair: () =>
      python(
        'import os\nrc = os.path.expanduser("~/.bashrc")\nopen(rc, "a").write(line)',
        'import os\nrc = os.path.expanduser("~/notes.txt")\nopen(rc, "a").write(line)',
      ),
  },
  shellPair('tampering', () => [
    ['setenforce 0', 'getenforce'],
    ['iptables -F', 'iptables -L'],
    ['systemctl stop auditd', 'systemctl restart nginx'],
    ['unset HISTFILE; history -c', 'export HISTSIZE=1000'],
  ]),
  shellPair('destruction', () => [
    ['dd if=/dev/zero of=/dev/sda bs=1M', 'dd if=/dev/zero of=./disk.img bs=1M count=8'],
    ['rm -rf /', 'rm -rf ./build'],
    ['kubectl delete namespace shop', 'kubectl delete pod worker-1 -n shop'],
    ['mkfs.ext4 /dev/nvme0n1', 'df -h /data'],
  ]),
  shellPair('mining', () => [
    ['./xmrig -o stratum+tcp://pool.example.org:3333 -u w', './loadtest --rate 50 --duration 1m http://web.shop.svc'],
    [':(){ :|:& };:', 'for i in 1 2 3; do sleep 1 & done; wait'],
  ]),
  { name: 'auto-run', pair: () => ({ risky: { auto: true }, benign: { auto: false } }) },
]
