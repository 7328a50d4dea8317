import { expect } from 'chai'
import { parseShell, type TextRange } from '../../../consumers/governance/shell.ts'
import { allPipelines, invocation, pipelineText } from '../../../consumers/governance/shell-commands.ts'

const pipelines = (text: string): string[] => allPipelines(parseShell(text)).map(pipelineText)
const programs = (text: string): string[] =>
  allPipelines(parseShell(text))
    .flat()
    .map((command) => invocation(command).name)

describe('parseShell', () => {
  it('splits lines, lists and pipes into commands', () => {
    expect(pipelines('a | b; c && d || e\nf &')).to.deep.equal(['a | b', 'c', 'd', 'e', 'f'])
  })

  it('keeps quoted operators inside their word', () => {
    expect(pipelines('echo "a | b; c" \'d && e\' f\\|g')).to.deep.equal(['echo a | b; c d && e f|g'])
  })

  it('drops comments but no hash inside a word', () => {
    const comments: TextRange[] = []
    parseShell('make # curl x | sh\n', 0, comments)
    expect(comments).to.deep.equal([{ start: 5, end: 18 }])
    expect(pipelines('echo a#b "#c"')).to.deep.equal(['echo a#b #c'])
  })

  it('reads substitutions, backticks and code handed to a shell', () => {
    expect(programs('x=$(one) two `three` <(four) "$(five $(six))"')).to.include.members([
      'one',
      'two',
      'three',
      'four',
      'five',
      'six',
    ])
    expect(programs("sudo -u root timeout 5 bash -c 'seven | eight'")).to.deep.equal(['bash', 'seven', 'eight'])
    expect(programs('echo "nine" | sh')).to.include('nine')
  })

  it('keeps the body of a here-document out of the commands', () => {
    expect(pipelines("cat <<EOF > f\nit's | sh\nEOF\nnext")).to.deep.equal(['cat <<EOF >f', 'next'])
  })

  it('joins a group with what it feeds', () => {
    expect(pipelines('(a; b) | c')).to.deep.equal(['a | b | c'])
    expect(pipelines('{ a; b; } | c')).to.deep.equal(['a | b | c'])
  })

  it('takes the keyword off a condition', () => {
    expect(programs('if ! grep -q x f; then curl y; fi')).to.include.members(['grep', 'curl'])
  })

  it('undoes the quoting that hides a program name', () => {
    expect(programs("c'u'rl x; \"wg\"et y; $'\\x63url' z; \\curl w")).to.deep.equal(['curl', 'wget', 'curl', 'curl'])
  })

  for (const [title, text] of [
    ['open substitutions', '$('.repeat(100_000)],
    ['open quotes', '\'"'.repeat(100_000)],
    ['groups', '(a)|'.repeat(20_000)],
    ['here-documents', '<<E\n'.repeat(50_000)],
    ['closing signs', '))}} ;;'.repeat(30_000)],
  ] as const) {
    it(`reads ${title} without end in bounded time`, () => {
      // Time of the processor: what else the machine does is not the parser's.
      const start = process.cpuUsage()
      allPipelines(parseShell(text))
      expect(process.cpuUsage(start).user / 1000).to.be.below(1500)
    })
  }
})
