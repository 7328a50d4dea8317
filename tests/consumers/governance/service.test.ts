import { expect } from 'chai'
import { type Analyzer, openAnalyzer } from '../../../consumers/governance/analyzer.ts'
import { governanceRoutes } from '../../../consumers/governance/service.ts'
import type { Call } from '../../../platform/http/route.ts'
import type { Verdict } from '../../../schemas/verdict.ts'

describe('POST /analyze', () => {
  let analyzer: Analyzer
  before(async function () {
    // A worker takes its time to start on a busy machine.
    this.timeout(30_000)
    analyzer = await openAnalyzer()
  })
  after(() => analyzer.close())

  const ask = (accept: string) => {
    const call = {
      bytes: Buffer.from('{"id":"sample"}'),
      contentType: 'application/json',
      header: (name: string) => (name === 'accept' ? accept : undefined),
    } as unknown as Call
    return governanceRoutes(analyzer, () => new Date('2026-01-01'))
      .find(({ path }) => path === '/analyze')
      ?.handle(call)
  }

  it('answers with the verdict', async () => {
    const answer = await ask('*/*')
    expect(answer?.status).to.equal(200)
    expect(answer?.body).to.have.property('risk_score').below(0.3)
  })

  it('names the checks that a bare document cannot answer as not run, and reports nothing for them', async () => {
    const verdict = (await ask('*/*'))?.body as Verdict | undefined
    const { checks = [], violations = [] } = verdict ?? {}
    for (const id of ['WPK-P2-001', 'WPK-P2-002', 'WPK-P2-009']) {
      expect(checks.find(({ name }) => name === id)).to.include({ status: 'unavailable' })
      expect(violations.filter(({ rule_id }) => rule_id === id)).to.deep.equal([])
    }
    expect(checks).to.have.length(42)
  })

  it('answers in SARIF to who asks for it', async () => {
    const answer = await ask('application/sarif+json')
    expect(answer).to.include({ status: 200, type: 'application/sarif+json' })
    const log = JSON.parse(Buffer.from(answer?.bytes ?? []).toString('utf8'))
    expect(log.version).to.equal('2.1.0')
    expect(log.runs[0].invocations[0].executionSuccessful).to.equal(true)
    expect(log.runs[0].invocations[0].toolExecutionNotifications[0].level).to.equal('note')
    expect(log.runs[0].results[0].ruleId).to.equal('WPK-P5-002')
  })
})

describe('GET /models', () => {
  const models = async (inUse: object[]) => {
    const analyzer = { models: () => inUse } as unknown as Analyzer
    const answer = await governanceRoutes(analyzer)
      .find(({ path }) => path === '/models')
      ?.handle({} as Call)
    const body = answer?.body as { models: { version: string; sha256: string; in_use: boolean; measured: object }[] }
    return body.models
  }

  it('lists the model in use first, and every one before it with its measured figures', async () => {
    const [inUse, ...before] = await models([{ version: '9.0.0', sha256: 'a'.repeat(64), measured: {} }])
    expect(inUse).to.include({ version: '9.0.0', in_use: true })
    expect(before).to.have.length.above(4)
    for (const one of before) {
      expect(one.in_use).to.equal(false)
      expect(one.measured, one.sha256).to.include.keys('samples', 'leave_one_family_out', 'on_training_data')
    }
    expect(new Set(before.map(({ sha256 }) => sha256)).size).to.equal(before.length)
  })

  it('lists none twice, and none as in use when the rules judge alone', async () => {
    const all = await models([])
    expect(all.some(({ in_use }) => in_use)).to.equal(false)
    const again = await models([all[0] as object])
    expect(again.map(({ sha256 }) => sha256)).to.deep.equal(all.map(({ sha256 }) => sha256))
  })
})
