import { expect } from 'chai'
import { recordSha256 } from '../../../../producers/marketplace/version-row.ts'
import { currentPolicy } from '../../../../schemas/policy/policy-document.ts'
import type { LooseJson } from '../../../support/signed-forms.ts'
import { type Marketplace, openMarketplace, verdictOf } from '../fixture.ts'
import { finding } from '../review/working.ts'

describe('producers/marketplace/policy: decisions name the version they were made under', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    const policy = {
      ...currentPolicy,
      version: 7,
      findings: {
        ...currentPolicy.findings,
        by_rule: { 'WPK-P3-005': { action: 'reject' as const, min_confidence: 'high' as const } },
      },
    }
    const say = (name: string, digest: string) =>
      verdictOf(digest, name.startsWith('bad') ? { risk_score: 0.9, violations: [finding()] } : {})
    await market.judging(say, policy)
  })
  after(() => market.close())
  const owner = <R>(sql: string, bindings: unknown[]) => market.database.as('postgres').query<R>(sql, bindings)

  it('rejects by machine what the policy names: recorded with hashes, told once, and the reason names the policy', async () => {
    const { id, digest } = await market.upload({ name: 'bad', mode: 'manual' })
    const reason = 'Policy 7 rejects what WPK-P3-005 finds.'
    expect(await market.statusBecomes(id, 'rejected')).to.include({ reason, risk_score: 0.9, published_at: null })
    const made = await owner('select * from marketplace.decisions where version_id = ?', [id])
    expect(made).to.have.length(1)
    expect(made[0]).to.include({
      ...{ decision: 'reject', approver: '//atom/marketplace', approver_kind: 'machine', justification: reason },
      ...{ policy_version: 7, after_sha256: recordSha256({ id, digest, status: 'rejected', reason }) },
      before_sha256: recordSha256({ id, digest, status: 'submitted', reason: 'Waiting for the analyzer.' }),
    })
    const told = await owner<{ type: string; value: Buffer }>(
      "select headers->>'ce_type' as type, value from platform.event_log where key = 'bad' order by xid, pos",
      [],
    )
    expect(told.map(({ type }) => type)).to.deep.equal(['wpk.submitted', 'wpk.verdict', 'wpk.rejected'])
    expect(JSON.parse(told[2]?.value.toString() ?? '')).to.include({ reason })
    const late = await market.call('POST', `/wpk/review/${id}`, {
      as: market.tokens.reviewer,
      json: { decision: 'approve', justification: 'It is fine.' },
    })
    expect([late.status, late.body.code]).to.deep.equal([409, 'already_decided'])
  })

  it('names it in the signed statement of a decision, of a machine and of a person', async () => {
    const { id } = await market.upload({ name: 'good', mode: 'manual' })
    await market.statusBecomes(id, 'in_review')
    const json = { decision: 'approve', justification: 'Harmless.' }
    await market.call('POST', `/wpk/review/${id}`, { as: market.tokens.reviewer, json })
    await market.statusBecomes(id, 'published')
    const next = await market.upload({ name: 'good', version: '1.0.1', mode: 'manual' })
    await market.statusBecomes(next.id, 'published')
    await market.keepRecord()
    for (const [version, policy] of [
      [id, currentPolicy.version],
      [next.id, 7],
    ] as const) {
      const { body } = await market.call<LooseJson>('GET', `/wpk/${version}/verdict`, { as: market.tokens.demo })
      const { predicate } = JSON.parse(
        Buffer.from(body.attestations.at(-1).bundle.dsseEnvelope.payload, 'base64').toString(),
      )
      expect(predicate).to.include({ decision: 'approve', policy_version: policy })
    }
  })

  it('shows every version to everybody who may call', async () => {
    for (const as of [market.tokens.demo, market.tokens.acme, market.tokens.reviewer]) {
      const { body } = await market.call<LooseJson>('GET', '/policies', { as })
      expect(body).to.deep.include({ current: currentPolicy.version, next: null })
      expect(body.policies.at(-1).version).to.equal(1)
      const one = await market.call<LooseJson>('GET', `/policies/${currentPolicy.version}`, { as })
      expect(one.body).to.deep.equal({ ...currentPolicy, current: true })
    }
    for (const version of ['0', '999', '1.json', '__proto__'])
      expect((await market.call('GET', `/policies/${version}`, { as: market.tokens.demo })).status).to.equal(404)
  })
})
