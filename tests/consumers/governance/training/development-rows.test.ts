import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { FEATURE_NAMES } from '../../../../consumers/governance/features.ts'
import { ROWS_FILE, readRows, rowsText, vectorOf } from '../../../../consumers/governance/training/development-rows.ts'
import { skipAloud } from '../../../support/skip-aloud.ts'

const beside = fileURLToPath(new URL('../../../../../shared/data/governance', import.meta.url))
const data = process.env.ATOM_GOVERNANCE_DATA ?? beside

describe('the rows of real packages', () => {
  it('are what the analyzer makes of the labelled packages', function () {
    if (!existsSync(data))
      skipAloud(this, 'governance-data', `ATOM_GOVERNANCE_DATA names no folder, nor is there ${data}`)
    this.timeout(60_000)
    expect(rowsText(data) === readFileSync(ROWS_FILE, 'utf8')).to.equal(true)
  })

  it('were made by the rules and features of this analyzer', () => {
    const rows = readRows()
    expect(rows.length).to.be.above(300)
    for (const row of rows)
      expect(Object.keys(row.features).every((name) => FEATURE_NAMES.includes(name))).to.equal(true)
  })

  it('hold nothing of a package but its digest, labels, and what the rules made of it', () => {
    for (const { sha256, labels, silent_for, findings, features, ...rest } of readRows()) {
      expect(sha256).to.match(/^[0-9a-f]{64}$/)
      for (const id of [...labels, ...silent_for, ...findings.map(({ rule_id }) => rule_id)])
        expect(id).to.match(/^WPK-P\d-\d{3}$/)
      expect(Object.values(features).every((value) => value > 0 && value <= 1)).to.equal(true)
      expect(Object.keys(rest)).to.deep.equal(['source', 'family', 'kind', 'tier', 'places'])
    }
  })

  it('give the features of the analyzer back, bit for bit', () => {
    const [row] = readRows()
    if (row === undefined) throw new Error('no rows')
    const vector = vectorOf({ ...row, features: { [FEATURE_NAMES[3] ?? '']: 0.6 } })
    expect([...vector]).to.deep.equal(FEATURE_NAMES.map((_name, index) => (index === 3 ? Math.fround(0.6) : 0)))
  })
})
