import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { ALL_RULES, HYGIENE_RULES, ORIGIN_RULES, RULES } from '../../../../consumers/governance/rules/index.ts'

const folder = new URL('../../../../consumers/governance/rules/', import.meta.url)
const tests = new URL('./', import.meta.url)

describe('the rules', () => {
  it('are the forty of the taxonomy, each once, in order', () => {
    const ids = ALL_RULES.map(({ id }) => id)
    expect(new Set(ids).size).to.equal(40)
    expect(ids).to.have.length(RULES.length + ORIGIN_RULES.length)
    for (const list of [ids, RULES.map(({ id }) => id)]) expect(list).to.deep.equal([...list].sort())
  })

  it('each have a file of their own and cases of their own, counted there: three to find and three to leave', () => {
    const names = readdirSync(folder).flatMap((file) =>
      [...readFileSync(new URL(file, folder), 'utf8').matchAll(/^export const (\w+): (?:Origin)?Rule = \{/gm)].map(
        ([, name = '']) => ({ file, name }),
      ),
    )
    expect(names).to.have.length(ALL_RULES.length)
    expect(new Set(names.map(({ file }) => file)).size).to.equal(ALL_RULES.length)
    const uncounted = names.filter(({ file, name }) => {
      const test = new URL(file.replace('.ts', '.test.ts'), tests)
      return !existsSync(test) || !new RegExp(`^(?:rule|origin)Cases\\(${name}, `, 'm').test(readFileSync(test, 'utf8'))
    })
    expect(uncounted).to.deep.equal([])
  })

  it('are named, linked and dated: id, policy, severity, version, remediation, page', () => {
    const pages = readFileSync(new URL('../../../../docs/reference/rules.md', import.meta.url), 'utf8')
    for (const { id, version, severity, name } of ALL_RULES) {
      expect(id).to.match(/^WPK-P[1-6]-\d{3}$/)
      expect(version, id).to.be.above(0)
      expect(['low', 'medium', 'high', 'critical'], id).to.include(severity)
      expect(pages, name).to.contain(`## ${id}`)
    }
  })

  it('say what they look at and what to do', () => {
    for (const { id, about, remediation } of ALL_RULES) {
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
