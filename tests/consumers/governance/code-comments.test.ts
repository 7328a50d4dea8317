import { expect } from 'chai'
import { withoutComments } from '../../../consumers/governance/code-comments.ts'

describe('code without its comments', () => {
  it('keeps its length and its quoted text', () => {
    const text = 'a = "# no"  # exec(x)\nb = 1'
    const bare = withoutComments(text, 'python')
    expect(bare).to.have.length(text.length)
    expect(bare).to.contain('"# no"').and.not.contain('exec')
  })

  it('drops what only documents', () => {
    expect(withoutComments('def f():\n    """eval(x)"""\n    return 1', 'python')).not.to.contain('eval')
    expect(withoutComments('x = """eval(x)"""', 'python')).to.contain('eval')
  })

  it('knows both forms of JavaScript, and addresses', () => {
    const bare = withoutComments('fetch("https://a.example.org") // eval\n/* exec */ run(`//`)', 'node')
    expect(bare).to.contain('https://a.example.org').and.contain('`//`')
    expect(bare).not.to.match(/eval|exec/)
  })

  it('knows Ruby, and what is no comment in it', () => {
    expect(withoutComments('puts "#{x}" # eval', 'ruby')).to.contain('#{x}').and.not.contain('eval')
  })
})
