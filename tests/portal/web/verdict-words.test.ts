import { expect } from 'chai'
import { freshnessText } from '../../../portal/web/freshness.tsx'
import { gravestFirst, riskText, statusTone } from '../../../portal/web/verdict-words.ts'

describe('verdict words', () => {
  it('cut a risk score instead of rounding it up to the review threshold', () => {
    expect([0.2996, 0.3, 0.57, 1, 0, 1e-7].map(riskText)).to.deep.equal([
      '0.299',
      '0.300',
      '0.570',
      '1.000',
      '0.000',
      '0.000',
    ])
  })

  it('list the gravest finding first and keep the order of equals', () => {
    const finding = (rule_id: string, severity: string) => ({ rule_id, severity, pointer: '', message: '' })
    const listed = [
      finding('a', 'low'),
      finding('b', 'high'),
      finding('c', 'odd'),
      finding('d', 'critical'),
      finding('e', 'high'),
    ]
    expect(gravestFirst(listed).map((each) => each.rule_id)).to.deep.equal(['d', 'b', 'e', 'a', 'c'])
  })

  it('pass no judgement on a status they do not know', () => {
    expect(statusTone('teleported')).to.equal('quiet')
  })
})

describe('freshness', () => {
  it('says the UTC time and how far behind it is', () => {
    expect(freshnessText({ as_of: '2026-11-23T15:03:07.9+01:00', lag_seconds: 1.6 })).to.equal(
      'as of 14:03:07, 2 s behind',
    )
  })

  it('adds the date when the figures stand still for days', () => {
    expect(freshnessText({ as_of: '2026-11-20T14:03:07Z', lag_seconds: 259200 })).to.equal(
      'as of 2026-11-20 14:03:07, 259200 s behind',
    )
  })
})
