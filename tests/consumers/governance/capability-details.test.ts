// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { expect } from 'chai'
import { capabilityDetailsOf } from '../../../consumers/governance/capability-details.ts'
import { viewOf } from '../../../consumers/governance/package-view.ts'
import type { WpkHandler } from '../../../schemas/wpk.ts'
import { api, apply, packageWith, shell } from './packages.ts'

const detailsOf = (...handlers: WpkHandler[]) => capabilityDetailsOf(viewOf(packageWith(handlers)))
/** Each capability as its kind and the text that its range cuts out of the command. */
const shown = (command: string) =>
  detailsOf(shell(command)).map(({ kind, range, detail }) => [
    kind,
    range === undefined ? null : command.slice(range.start, range.end),
    detail,
  ])

describe('capabilities with their places', () => {
  it('name what each command can do, with the part of the value it stands in', () => {
    expect(shown('make\ncurl -fsS https://dl.example.org/x.sh | sudo bash # no more')).to.deep.equal([
      ['network_out', 'curl -fsS https://dl.example.org/x.sh', 'dl.example.org'],
      ['privilege', 'sudo bash', 'sudo'],
      ['spawns', 'sudo bash', 'bash'],
      [
        'executes_download',
        'curl -fsS https://dl.example.org/x.sh | sudo bash',
        'curl -fsS https://dl.example.org/x.sh | sudo bash',
      ],
    ])
  })

  for (const [command, kind, detail] of [
    ['cat ~/.aws/credentials', 'reads_secret', 'the file ~/.aws/credentials'],
    ['curl -H "Authorization: Bearer $API_TOKEN" https://api.example.org', 'reads_secret', '$API_TOKEN'],
    ['scp report.csv me@drop.example.org:/in', 'network_out', 'drop.example.org'],
    ['echo x > /etc/motd', 'writes_outside', '/etc/motd'],
    ['sudo make install', 'privilege', 'sudo'],
    ['docker run --privileged alpine', 'privilege', 'docker with rights of the host'],
    ['(crontab -l; echo "* * * * * x") | crontab -', 'persistence', 'crontab'],
    ['echo k >> ~/.ssh/authorized_keys', 'persistence', '~/.ssh/authorized_keys'],
    ['rm -rf ./dist', 'destroys', './dist'],
    ['kubectl delete pod web-0', 'destroys', 'pod web-0'],
    ['base64 -d < a > b', 'decodes', 'base64'],
    ['nohup ./agent &', 'spawns', 'nohup'],
    ['npm install left-pad', 'installs', 'left-pad'],
    ['apt-get install -y jq', 'installs', 'jq'],
  ] as const) {
    it(`finds ${kind} in ${command}`, () => {
      expect(shown(command).map(([one, , what]) => [one, what])).to.deep.include([kind, detail])
    })
  }

  it('finds nothing in a plain step, in comments and in what is printed', () => {
    expect(shown('make test # curl https://x.example.org | sh')).to.deep.equal([])
    expect(shown('echo "never run: curl https://x.example.org | sh"')).to.deep.equal([])
  })

  it('places commands of decoded text and inner shells where they are handed over', () => {
    const command = `true; bash -c 'rm -rf ./a'; echo ${Buffer.from('rm -rf ./b').toString('base64')} | base64 -d | sh`
    const destroyed = shown(command).filter(([kind]) => kind === 'destroys')
    expect(destroyed[0]).to.deep.equal(['destroys', "bash -c 'rm -rf ./a'", './a'])
    expect(destroyed[1]?.[2]).to.equal('./b')
    expect(destroyed[1]?.[1]).to.match(/^echo .* \| sh$/)
  })

  it('gives no range where the value at the pointer is not the text that was read', () => {
    const list = { name: 'list', type: 'shell', config: { command: ['rm', '-rf', './dist'] } } as const
    const text = apply('kind: Pod\napiVersion: v1\nspec:\n  containers:\n    - securityContext: {privileged: true}\n')
    expect(detailsOf(list)[0]).to.deep.equal({
      kind: 'destroys',
      pointer: '/spec/handlers/0/config/command',
      detail: './dist',
    })
    expect(detailsOf(text)).to.deep.equal([
      { kind: 'privilege', pointer: '/spec/handlers/0/config/manifest', detail: 'privileged' },
    ])
    // An invisible character moves every place behind it.
    expect(detailsOf(shell('tr\u200bue; rm -rf ./dist'))[0]).not.to.have.property('range')
  })

  it('reads fields: addresses, rights, mounts, references to secrets', () => {
    const pod = apply({
      apiVersion: 'v1',
      kind: 'Pod',
      spec: { hostPID: true, volumes: [{ hostPath: { path: '/etc' } }] },
    })
    const call = api({ url: 'https://hooks.example.org/x', headers: { Authorization: 'Bearer ${API_TOKEN}' } })
    expect(detailsOf(pod, call).map(({ kind, pointer, detail }) => [kind, pointer, detail])).to.deep.equal([
      ['privilege', '/spec/handlers/0/config/manifest/spec/hostPID', 'hostPID'],
      ['writes_outside', '/spec/handlers/0/config/manifest/spec/volumes/0/hostPath/path', '/etc'],
      ['network_out', '/spec/handlers/1/config/url', 'hooks.example.org'],
      ['reads_secret', '/spec/handlers/1/config/headers/Authorization', '$API_TOKEN'],
    ])
  })

  it('is bounded and masks what may be a secret', () => {
    const many = detailsOf(shell(Array.from({ length: 500 }, (_x, at) => `rm -rf ./d${at}`).join('\n')))
    expect(many).to.have.length(200)
    const [first] = detailsOf(shell(`rm -rf ./ghp_${'a1B2'.repeat(9)}`))
    expect(first?.detail).not.to.contain('a1B2a1B2')
  })
})
