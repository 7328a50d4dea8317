import { expect } from 'chai'
import { failed, nothing, type Row, summary } from './table.ts'

describe('faults/table', () => {
  const row = (more: Partial<Row>): Row => ({ ...nothing('a fault', 'embedded'), acknowledged: 9, counted: 9, ...more })

  it('fails what lost, counted twice, was wrong or did nothing at all', () => {
    expect(failed(row({}))).to.equal(false)
    for (const more of [{ lost: 1 }, { double: 1 }, { wrong: ['invoice'] }, { acknowledged: 0 }])
      expect(failed(row(more)), JSON.stringify(more)).to.equal(true)
  })

  it('fails a control that lost nothing', () => {
    expect(failed(row({ control: true, lost: 1 }))).to.equal(false)
    expect(failed(row({ control: true }))).to.equal(true)
  })

  it('adds up without the controls and repeats what failed', () => {
    const text = summary(
      [
        row({ times: 2, kills: true }),
        row({ times: 3 }),
        row({ control: true, lost: 3 }),
        row({ fault: 'b', double: 1 }),
      ],
      7,
    )
    expect(text).to.contain('3 runs, 5 faults, 2 of them kills, 27 acknowledged, 0 lost, 1 double, 7 s')
    expect(text.match(/FAILED/g)).to.have.length(1)
  })
})
