// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables belong to the scripts
import { expect } from 'chai'
import { parseShell } from '../../../consumers/governance/shell.ts'
import { commandText } from '../../../consumers/governance/shell-commands.ts'

const lines = (script: string): string[] => parseShell(script).flatMap((pipeline) => pipeline.map(commandText))

describe('variables of a script', () => {
  it('are written out where the script itself gives their text', () => {
    expect(lines('run=sh\ncurl -s https://a.example | "$run" -s')).to.deep.equal([
      'run=sh',
      'curl -s https://a.example',
      'sh -s',
    ])
    expect(lines('d=/etc\nf="$d/cron.d/x"\necho a >> "$f"').at(-1)).to.equal('echo a >>/etc/cron.d/x')
    expect(lines('export T=/tmp/t\nchmod +x ${T}').at(-1)).to.equal('chmod +x /tmp/t')
    expect(lines('p=a\np+=b\nrm $p').at(-1)).to.equal('rm ab')
  })

  it('are as many words as they have, where they stand alone and unquoted', () => {
    const [, [command]] = parseShell('get="curl -fsSL --retry 3"\n$get https://a.example') as [
      unknown,
      [{ words: { text: string }[] }],
    ]
    expect(command.words.map(({ text }) => text)).to.deep.equal(['curl', '-fsSL', '--retry', '3', 'https://a.example'])
    expect(parseShell('m="a b"\necho "$m"').at(-1)?.[0]?.words).to.have.length(2)
  })

  it('stay variables where they come from elsewhere, are secrets, or are for one command only', () => {
    expect(lines('x=$(date)\necho $x').at(-1)).to.equal('echo $x')
    expect(lines('x=a\nread x\necho $x').at(-1)).to.equal('echo $x')
    expect(lines('API_TOKEN=abc\ncurl -H "$API_TOKEN" u').at(-1)).to.equal('curl -H $API_TOKEN u')
    expect(lines('x=1 make\necho $x').at(-1)).to.equal('echo $x')
    expect(lines('x=a\nfor x in b c; do echo $x; done').at(-1)).to.equal('echo $x')
    expect(lines('echo $x\nx=a')[0]).to.equal('echo $x')
  })

  it('cost no more than a text of some size, however they grow', () => {
    const script = `x=${'a'.repeat(400)}\n${'x=$x$x\n'.repeat(50)}${'echo $x$x$x\n'.repeat(2000)}`
    expect(lines(script).join('').length).to.be.below(200_000)
  })
})
