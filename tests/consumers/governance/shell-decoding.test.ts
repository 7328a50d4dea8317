import { expect } from 'chai'
import { type Pipeline, parseShell } from '../../../consumers/governance/shell.ts'
import { allPipelines, invocation } from '../../../consumers/governance/shell-commands.ts'
import { staticOutput } from '../../../consumers/governance/shell-decoding.ts'

const outputOf = (text: string) => staticOutput(parseShell(text)[0] as Pipeline)
const programs = (text: string) =>
  allPipelines(parseShell(text))
    .flat()
    .map((command) => invocation(command).name)

describe('what a pipeline writes', () => {
  it('is known for printed text, here-documents and here-strings', () => {
    expect(outputOf('echo -n a b')).to.deep.equal({ text: 'a b', decoded: false })
    expect(outputOf('cat <<EOF\nhello\nEOF')).to.deep.equal({ text: 'hello', decoded: false })
  })

  it('is known along decoders', () => {
    expect(outputOf('echo aWQ= | base64 -d')).to.deep.equal({ text: 'id', decoded: true })
    expect(outputOf('echo 6964 | xxd -r -p')).to.deep.equal({ text: 'id', decoded: true })
    expect(outputOf('base64 -d <<< aWQ=')).to.deep.equal({ text: 'id', decoded: true })
    expect(outputOf('echo NFSA==== | base32 -d')).to.deep.equal({ text: 'id', decoded: true })
    expect(outputOf('echo di | rev')?.text.trim()).to.equal('id')
  })

  it('is not known when it depends on anything else', () => {
    for (const text of ['echo "$CODE"', 'cat file | base64 -d', 'curl x | base64 -d', 'echo a | tr a b'])
      expect(outputOf(text), text).to.equal(null)
  })

  it('is read again when a shell runs it', () => {
    const inner = Buffer.from('curl https://a.example.org').toString('base64')
    for (const text of [
      `echo ${inner} | base64 -d | sh`,
      `eval "$(echo ${inner} | base64 -d)"`,
      `bash <<< "$(echo ${inner} | base64 -d)"`,
    ])
      expect(programs(text), text).to.include('curl')
    const twice = Buffer.from(`echo ${inner} | base64 -d | sh`).toString('base64')
    expect(programs(`echo ${twice} | base64 -d | sh`)).to.include('curl')
  })
})
