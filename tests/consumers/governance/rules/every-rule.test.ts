import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { ANSWERED_ELSEWHERE, HYGIENE_RULES, RULES } from '../../../../consumers/governance/rules/index.ts'

const folder = new URL('../../../../consumers/governance/rules/', import.meta.url)
const tests = new URL('./', import.meta.url)

describe('the rules', () => {
  it('are the forty of the taxonomy, each once, in order', () => {
    const ids = [...RULES, ...ANSWERED_ELSEWHERE].map(({ id }) => id)
    expect(new Set(ids).size).to.equal(40)
    const own = RULES.map(({ id }) => id)
    expect(own).to.deep.equal([...own].sort())
  })

  it('each have a file of their own and cases of their own', () => {
    const files = readdirSync(folder).filter((file) => /: Rule = \{/.test(readFileSync(new URL(file, folder), 'utf8')))
    expect(files).to.have.length(RULES.length)
    expect(files.filter((file) => !existsSync(new URL(file.replace('.ts', '.test.ts'), tests)))).to.deep.equal([])
  })

  it('are named, linked and dated: id, policy, severity, version, remediation, page', () => {
    const pages = readFileSync(new URL('../../../../docs/reference/rules.md', import.meta.url), 'utf8')
    for (const { id, version, severity, name } of RULES) {
      expect(id).to.match(/^WPK-P[1-6]-\d{3}$/)
      expect(version, id).to.be.above(0)
      expect(['low', 'medium', 'high', 'critical'], id).to.include(severity)
      expect(pages, name).to.contain(`## ${id}`)
    }
  })

  it('each have their cases counted: three to find and three to leave at least', () => {
    const counted = readdirSync(tests).filter((file) =>
      readFileSync(new URL(file, tests), 'utf8').includes('ruleCases('),
    )
    // These say more of a finding than that it is there; each has its three and three in lists of its own.
    const written = [
      'auto-without-approval',
      'command-injection',
      'data-exfiltration',
      'hard-coded-secret',
      'privileged-container',
      'remote-script-executed',
      'reverse-shell',
      'unpinned-image',
    ]
    const files = readdirSync(folder).filter((file) => /: Rule = \{/.test(readFileSync(new URL(file, folder), 'utf8')))
    const uncounted = files
      .map((file) => file.replace('.ts', ''))
      .filter((name) => !counted.includes(`${name}.test.ts`))
    expect(uncounted.sort()).to.deep.equal(written)
  })

  it('say what they look at and what to do', () => {
    for (const { id, about, remediation } of RULES) {
      expect(about.length, id).to.be.above(60)
      expect(remediation, id).to.match(/\.$/)
    }
  })

  it('leave it to hygiene to advise only', () => {
    expect([...HYGIENE_RULES].sort()).to.deep.equal([
      'WPK-P2-003',
      'WPK-P2-004',
      'WPK-P2-006',
      'WPK-P3-012',
      'WPK-P3-013',
      'WPK-P4-001',
      'WPK-P5-004',
    ])
  })
})
