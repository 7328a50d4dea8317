// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { expect } from 'chai'
import { parseShell } from '../../../consumers/governance/shell.ts'
import { markExpressions } from '../../../consumers/governance/shell-expressions.ts'

const words = (text: string) =>
  parseShell(text)
    .flat(2)
    .flatMap((command) => command.words.map((word) => word.text))

describe('template expressions', () => {
  it('are marked at the same length and come back as they were', () => {
    const text = 'echo ${{ github.ref }} {{ .Values.a }} $(params.url)'
    const marked = markExpressions(text)
    expect(marked.text).to.have.length(text.length).and.not.contain('github')
    expect(marked.restore(marked.text)).to.equal(text)
  })

  it('stay words of a command, quotes and pipes in them included', () => {
    expect(words("echo ${{ a || 'b' }} x")).to.deep.equal(['echo', "${{ a || 'b' }}", 'x'])
    expect(words('tool --ref "$(params.revision)"')).to.deep.equal(['tool', '--ref', '$(params.revision)'])
  })

  it('are not seen in what is a substitution', () => {
    expect(parseShell('echo $(date)')[0]?.[0]?.words[1]?.substitutions).to.have.length(1)
  })

  it('cannot be made by characters of the text itself', () => {
    const marked = markExpressions('echo \ue000\ue010')
    expect(marked.restore(marked.text)).to.equal('echo ??')
  })
})
