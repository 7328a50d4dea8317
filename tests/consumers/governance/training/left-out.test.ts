import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { FEATURE_NAMES } from '../../../../consumers/governance/features.ts'
import { loadModel } from '../../../../consumers/governance/model.ts'
import { REVIEW_THRESHOLD } from '../../../../consumers/governance/risk.ts'
import { readRows, vectorOf } from '../../../../consumers/governance/training/development-rows.ts'
import { figuresOf } from '../../../../consumers/governance/training/figures.ts'
import { judgeRows, readModelInUse, WAYS } from '../../../../consumers/governance/training/judged-rows.ts'
import { type JudgedSample, judgeSamples, ratesOf } from '../../../../consumers/governance/training/judged-samples.ts'
import { probabilityBy, readLeftOutModels } from '../../../../consumers/governance/training/left-out-models.ts'
import { averagePrecision, reliabilityOf, summaryOf } from '../../../../consumers/governance/training/summary.ts'
import { measuredFiles } from '../../../../consumers/governance/training/write-card.ts'

const room = new URL('../../../../consumers/governance/', import.meta.url)
const rows = readRows()

describe('a model as a sum', () => {
  it('gives what the model in use gives, on every row', async () => {
    const loaded = await loadModel(new URL('model/', room), FEATURE_NAMES)
    if (!loaded.usable) throw new Error(loaded.reason)
    const sum = readModelInUse()
    for (const row of rows)
      expect(probabilityBy(sum, row.features)).to.be.closeTo((await loaded.probability(vectorOf(row))) ?? -1, 1e-5)
    await loaded.close()
  })

  it('is there for each source, and differs from the model in use', () => {
    const models = readLeftOutModels()
    expect(Object.keys(models).sort()).to.deep.equal([...new Set(rows.map(({ source }) => source))].sort())
    for (const [source, { weights, intercept }] of Object.entries(models)) {
      expect(intercept, source).not.to.equal(readModelInUse().intercept)
      expect(
        Object.values(weights).every((weight) => weight > 0),
        source,
      ).to.equal(true)
      expect(
        Object.keys(weights).every((name) => FEATURE_NAMES.includes(name)),
        source,
      ).to.equal(true)
    }
  })
})

describe('rules, model and both on sources that were left out', () => {
  const judged = judgeRows(rows)
  const share = (wanted: string) => {
    const found = figuresOf(judged).find(({ figure }) => figure === wanted)
    if (found === undefined) throw new Error(wanted)
    return found.hits / found.of
  }

  it('reach what is asked', () => {
    expect(share('malicious: matching rule, medium or more')).to.be.at.least(0.9)
    expect(share('vulnerable: matching rule, medium or more')).to.be.at.least(0.75)
    expect(share(`real-benign: risk >= ${REVIEW_THRESHOLD}, both`)).to.be.at.most(0.1)
    expect(share('real-benign: critical finding')).to.be.at.most(0.02)
    expect(share('paired negatives: named rule silent')).to.be.at.least(0.95)
    expect(share('place: at or inside the labelled one')).to.be.at.least(0.9)
  })

  for (const way of ['rules', 'model'] as const) {
    it(`are better together than ${way} alone`, () => {
      for (const tier of ['malicious', 'vulnerable'])
        expect(share(`${tier}: risk >= ${REVIEW_THRESHOLD}, both`), tier).to.be.at.least(
          share(`${tier}: risk >= ${REVIEW_THRESHOLD}, ${way}`),
        )
      expect(share(`real-benign: risk >= ${REVIEW_THRESHOLD}, both`)).to.be.at.most(
        share(`real-benign: risk >= ${REVIEW_THRESHOLD}, ${way}`),
      )
      const [both, alone] = [summaryOf(judged, 'both'), summaryOf(judged, way)]
      expect(both.balanced_accuracy).to.be.above(alone.balanced_accuracy)
      expect(both.average_precision).to.be.above(alone.average_precision)
    })
  }
})

describe('rules, model and both on kinds of attack that were left out', () => {
  let samples: JudgedSample[]
  before(function () {
    this.timeout(30_000)
    samples = judgeSamples()
  })

  it('raise far fewer alarms together than the rules alone, and rank better', () => {
    const [rules, model, both] = WAYS.map((way) => ratesOf(samples, way))
    if (!rules || !model || !both) throw new Error('a way is missing')
    expect(both.alarms).to.be.at.most(Math.min(rules.alarms / 5, model.alarms))
    expect(both.recall).to.be.at.least(Math.max(0.85, model.recall))
    expect(both.precision).to.be.above(rules.precision)
  })

  it('stand, with those of the sources, in the card and beside the model as they are', () => {
    for (const { file, text } of measuredFiles(samples))
      expect(readFileSync(file, 'utf8') === text, file.pathname).to.equal(true)
  })
})

describe('the summary', () => {
  const row = (kind: string, tier: string | null) => ({ ...rows[0], kind, tier }) as (typeof rows)[number]
  const one = (both: number, kind: string, tier: string | null) => ({ row: row(kind, tier), rules: 0, model: 0, both })

  it('counts packages of the same risk together', () => {
    expect(averagePrecision([0.9, 0.4], [0.6, 0.4])).to.be.closeTo((1 + 2 / 4) / 2, 1e-12)
    expect(averagePrecision([0.9, 0.8], [0.1])).to.equal(1)
  })

  it('says how many were right at the threshold, how far off the risk is, and what a band is worth', () => {
    const judged = [one(0.8, 'risky', 'malicious'), one(0.2, 'risky', 'vulnerable'), one(0.1, 'real-benign', null)]
    expect(summaryOf(judged, 'both').balanced_accuracy).to.equal(0.75)
    expect(summaryOf(judged, 'both').brier).to.be.closeTo((0.04 + 0.64 + 0.01) / 3, 1e-12)
    expect(reliabilityOf(judged, 'both').map(({ band, hits, of }) => [band, hits, of])).to.deep.equal([
      ['0.1 to 0.3', 1, 2],
      ['0.6 to 0.9', 1, 1],
    ])
  })
})
