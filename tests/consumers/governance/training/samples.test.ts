import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { FEATURE_NAMES } from '../../../../consumers/governance/features.ts'
import { ROWS_FILE } from '../../../../consumers/governance/training/development-rows.ts'
import { generateSamples } from '../../../../consumers/governance/training/generate-samples.ts'
import { wpkProblems } from '../../../../schemas/wpk.ts'

const room = new URL('../../../../consumers/governance/', import.meta.url)

describe('the training samples', () => {
  const samples = generateSamples()
  const file = readFileSync(new URL('training/policy_samples.jsonl', room), 'utf8')
  const card = JSON.parse(readFileSync(new URL('model/model.json', room), 'utf8'))

  it('are what the committed generator makes', () => {
    expect(`${samples.map((sample) => JSON.stringify(sample)).join('\n')}\n` === file).to.equal(true)
  })

  it('are, with the rows of real packages, what the shipped model was trained on, with the features of this analyzer', () => {
    const rows = readFileSync(ROWS_FILE)
    expect(card.training_data_sha256).to.equal(createHash('sha256').update(file).update(rows).digest('hex'))
    expect(card.features).to.deep.equal(FEATURE_NAMES)
  })

  it('are valid packages', () => {
    for (const { wpk } of samples) expect(wpkProblems(wpk)).to.deep.equal([])
  })

  it('come in pairs that share everything but the risky part', () => {
    for (let index = 0; index < samples.length; index += 2) {
      const [risky, benign] = [samples[index], samples[index + 1]]
      expect([risky?.risky, benign?.risky, risky?.family]).to.deep.equal([true, false, benign?.family])
      const difference = Math.abs((risky?.wpk.spec.handlers.length ?? 0) - (benign?.wpk.spec.handlers.length ?? 0))
      expect(difference).to.be.at.most(1)
    }
  })
})
