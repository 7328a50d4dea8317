import { expect } from 'chai'
import { FEATURE_NAMES } from '../../../../consumers/governance/features.ts'
import { judge, runRules } from '../../../../consumers/governance/judge.ts'
import { type LoadedModel, loadModel } from '../../../../consumers/governance/model.ts'
import { REVIEW_THRESHOLD } from '../../../../consumers/governance/risk.ts'
import { bytesOf } from '../packages.ts'
import { FIVE_SHAPES } from './five-shapes.ts'

describe('the five shapes by other hands', () => {
  let model: LoadedModel
  before(async () => {
    model = await loadModel(new URL('../../../../consumers/governance/model/', import.meta.url), FEATURE_NAMES)
  })
  after(async () => {
    if (model.usable) await model.close()
  })

  for (const { title, wpk, weaknesses } of FIVE_SHAPES) {
    it(`${title}: has exactly the findings that a reader agrees with`, async () => {
      const found = runRules(wpk).violations
      expect(found.map(({ rule_id, severity, pointer }) => `${rule_id} ${severity} ${pointer}`)).to.deep.equal(
        weaknesses,
      )
      // Without a weakness it is nobody's work: the model adds no noise of its own.
      if (weaknesses.length === 0)
        expect((await judge(bytesOf(wpk), wpk, model)).risk_score).to.be.below(REVIEW_THRESHOLD)
    })
  }
})
