import { expect } from 'chai'
import { probeApprovals, probeSignatures } from '../../../../producers/marketplace/policy-probes.ts'
import { publicTrustRoot } from '../../../../producers/marketplace/trust/trust-root.ts'
import { recordSha256 } from '../../../../producers/marketplace/version-row.ts'
import { eventually } from '../../../support/eventually.ts'
import { packageBytes, uploadOf } from '../../../support/packages.ts'
import { type Marketplace, openMarketplace, type Problem, verdictOf } from '../fixture.ts'

type Review = {
  id: string
  wpk: { name: string }
  claimed_by: string | null
  due_at: string
  age_seconds: number
  findings: object[]
}
type Decision = Record<string, string>
const finding = {
  rule_id: 'WPK-P3-005',
  policy: 'P-3',
  severity: 'high' as const,
  confidence: 'high' as const,
  pointer: '/spec/handlers/0/config/command',
  message: 'Runs a downloaded script.',
  remediation: 'Pin it.',
  fingerprint: 'f'.repeat(64),
}

describe('producers/marketplace: reviews', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    await market.judging((name, digest) => {
      if (name.startsWith('risky'))
        return verdictOf(digest, { risk_score: 0.8, decision: 'review', violations: [finding] })
      return verdictOf(digest, { capabilities: name.startsWith('grown') ? ['network'] : [] })
    })
  })
  after(() => market.close())

  const decide = (id: string, decision: string, as = market.tokens.reviewer, justification = 'Read it all.') =>
    market.call<Problem & { status: string }>('POST', `/wpk/review/${id}`, { as, json: { decision, justification } })
  const claim = (id: string, as = market.tokens.reviewer) =>
    market.call<Problem & Decision>('POST', `/reviews/${id}/claim`, { as })
  const owner = <R>(sql: string, bindings: unknown[] = []) => market.database.as('postgres').query<R>(sql, bindings)
  const queue = async (query = '') =>
    (
      await market.call<{ reviews: Review[]; next: string | null }>('GET', `/reviews${query}`, {
        as: market.tokens.reviewer,
      })
    ).body
  const inReview = async (name: string, more: object = {}) => {
    const { id } = await market.upload({ name, mode: 'manual', ...more })
    await market.statusBecomes(id, 'in_review')
    return id
  }

  it('queues a first version, shows its findings, publishes it once approved, and records who and why', async () => {
    const id = await inReview('risky-first')
    const before = (await market.call('GET', `/wpk/${id}`, { as: market.tokens.demo })).body
    expect(before).to.include({ status: 'in_review', risk_score: 0.8 })
    const item = (await queue()).reviews.find((one) => one.id === id) as Review
    expect(item).to.deep.include({
      findings: [finding],
      claimed_by: null,
      due_at: '2026-11-03T10:00:00.000Z',
      age_seconds: 0,
    })
    const decided = await decide(id, 'approve')
    expect([decided.status, decided.body]).to.deep.equal([200, { id, status: 'approved' }])
    const after = await market.statusBecomes(id, 'published')
    expect(after).to.include({ reason: 'Read it all.', published_at: '2026-11-02T10:00:00.000Z' })
    expect((await queue()).reviews.map((one) => one.id)).to.not.include(id)
    const [decision] = await owner<Decision>('select * from marketplace.decisions where version_id = ?', [id])
    expect(decision).to.include({
      decision: 'approve',
      approver: 'atom-reviewer@atom',
      approver_kind: 'person',
      justification: 'Read it all.',
    })
    const digest = before.digest as string
    expect(decision?.before_sha256).to.equal(
      recordSha256({ id, digest, status: 'in_review', reason: before.reason as string }),
    )
    expect(decision?.after_sha256).to.equal(recordSha256({ id, digest, status: 'approved', reason: 'Read it all.' }))
    const types = await owner<{ type: string; cause: string | null; trace: string }>(
      "select headers->>'ce_type' as type, headers->>'ce_causationid' as cause, headers->>'traceparent' as trace from platform.event_log where key = 'risky-first' order by xid, pos",
    )
    expect(types.map(({ type }) => type)).to.deep.equal([
      'wpk.submitted',
      'wpk.verdict',
      'wpk.reviewed',
      'wpk.published',
    ])
    for (const { trace } of types) expect(trace).to.match(/^00-/)
  })

  it('rejects with a reason that the publisher sees, and announces it', async () => {
    const id = await inReview('risky-rejected')
    expect((await decide(id, 'reject', market.tokens.reviewer, 'Mounts the host.')).body).to.deep.equal({
      id,
      status: 'rejected',
    })
    const detail = await market.call('GET', `/wpk/${id}`, { as: market.tokens.demo })
    expect(detail.body).to.include({ status: 'rejected', reason: 'Mounts the host.', published_at: null })
    await eventually(
      'it is announced',
      async () =>
        (
          await owner(
            "select 1 from platform.event_log where key = 'risky-rejected' and headers->>'ce_type' = 'wpk.rejected'",
          )
        ).length === 1,
    )
  })

  it('asks for changes; a new version starts afresh', async () => {
    const id = await inReview('risky-changes')
    expect((await decide(id, 'request_changes')).body.status).to.equal('changes_requested')
    await inReview('risky-changes', { version: '1.0.1' })
  })

  it('lets the machine publish a harmless step on from what a person approved, and nothing else', async () => {
    for (const name of ['harmless', 'grown']) {
      await market.statusBecomes((await market.upload({ name, version: '1.0.0', mode: 'manual' })).id, 'in_review')
      const [{ id } = { id: '' }] = await owner<{ id: string }>('select id from marketplace.versions where name = ?', [
        name,
      ])
      await decide(id, 'approve')
      await market.statusBecomes(id, 'published')
    }
    await owner(
      "update marketplace.versions set verdict = jsonb_set(verdict, '{capabilities}', '[]') where name = 'grown'",
    )
    const next = await market.upload({ name: 'harmless', version: '1.1.0', mode: 'manual' })
    await market.statusBecomes(next.id, 'published')
    const [decision] = await owner<Decision>('select * from marketplace.decisions where version_id = ?', [next.id])
    expect(decision).to.include({ approver_kind: 'machine', approver: '//atom/marketplace' })
    const grown = await market.upload({ name: 'grown', version: '1.1.0', mode: 'manual' })
    expect((await market.statusBecomes(grown.id, 'in_review')).reason).to.contain('it gained network')
    const auto = await market.upload({ name: 'harmless', version: '1.2.0', mode: 'auto' })
    expect((await market.statusBecomes(auto.id, 'in_review')).reason).to.contain('safety.mode')
    const silent = await market.upload({ name: 'harmless', version: '1.3.0' })
    expect((await market.statusBecomes(silent.id, 'in_review')).reason).to.contain('safety.mode')
  })

  it('keeps P-2 and P-3, as their probes see', async () => {
    const all = market.database.as('atom_marketplace')
    expect(await probeSignatures(all, publicTrustRoot)()).to.include({ status: 'compliant' })
    expect(await probeApprovals(all)()).to.include({ status: 'compliant' })
    await owner("update marketplace.versions set safety_mode = 'auto' where name = 'harmless' and version = '1.1.0'")
    expect(await probeApprovals(all)()).to.include({ status: 'violated' })
    await owner("update marketplace.versions set safety_mode = 'manual' where name = 'harmless' and version = '1.1.0'")
    await owner(
      "update platform.artifacts a set bytes = bytes || 'x'::bytea from marketplace.versions v where v.digest = a.digest and v.name = 'harmless' and v.version = '1.3.0'",
    )
    const broken = await probeSignatures(all, publicTrustRoot)().catch((error: Problem) => ({ status: error.code }))
    expect(broken).to.include({ status: 'signature_invalid' })
  })

  describe('claims', () => {
    it('hold an item for 15 minutes, for one reviewer, who may renew it', async () => {
      const id = await inReview('risky-claimed')
      const claimed = await claim(id)
      expect(claimed.body).to.deep.equal({
        id,
        claimed_by: 'atom-reviewer@atom',
        claimed_until: '2026-11-02T10:15:00.000Z',
      })
      expect((await queue()).reviews.find((one) => one.id === id)?.claimed_by).to.equal('atom-reviewer@atom')
      for (const refused of [await claim(id, market.tokens.other), await decide(id, 'approve', market.tokens.other)])
        expect([refused.status, refused.body.code]).to.deep.equal([409, 'claimed_by_another'])
      expect((await claim(id)).status).to.equal(200)
      market.clock.advance(15 * 60_000)
      expect((await queue()).reviews.find((one) => one.id === id)?.claimed_by).to.equal(null)
      expect((await claim(id, market.tokens.other)).body.claimed_by).to.equal('atom-reviewer-data@atom')
      expect((await decide(id, 'reject', market.tokens.other)).status).to.equal(200)
      market.clock.set('2026-11-02T10:00:00Z')
    })

    it('are made by deciding, and one of two deciders at once wins', async () => {
      const id = await inReview('risky-raced')
      const answers = await Promise.all([decide(id, 'approve'), decide(id, 'reject', market.tokens.other)])
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409])
      expect(await owner('select 1 from marketplace.decisions where version_id = ?', [id])).to.have.length(1)
    })
  })

  describe('refuses', () => {
    it('a second decision and a claim after it', async () => {
      const id = await inReview('risky-decided')
      await decide(id, 'reject')
      for (const refused of [await decide(id, 'approve'), await claim(id)])
        expect([refused.status, refused.body.code]).to.deep.equal([409, 'already_decided'])
    })

    it('a decision on a package of one’s own organisation', async () => {
      const key = await market.organisations.signingKey('atom')
      const publish = await market.organisations.apiKey('atom', 'publish')
      const { body } = await market.call<{ id: string }>('POST', '/wpk/upload', {
        as: publish,
        json: uploadOf(packageBytes({ name: 'risky-own' }), key),
      })
      await market.statusBecomes(body.id, 'in_review')
      for (const refused of [await decide(body.id, 'approve'), await claim(body.id)])
        expect([refused.status, refused.body.code]).to.deep.equal([403, 'own_package'])
    })

    it('everybody who is no reviewer', async () => {
      const id = await inReview('risky-roles')
      for (const as of [
        market.tokens.demo,
        market.tokens.demoTenant,
        market.tokens.admin,
        await market.organisations.apiKey('demo', 'publish', 'report', 'read'),
      ])
        for (const refused of [
          await decide(id, 'approve', as),
          await claim(id, as),
          await market.call<Problem>('GET', '/reviews', { as }),
        ])
          expect([refused.status, refused.body.code]).to.deep.equal([403, 'forbidden'])
    })

    it('a decision without a reason, or one that does not exist', async () => {
      const id = await inReview('risky-reason')
      const send = (json: object) =>
        market.call<Problem>('POST', `/wpk/review/${id}`, { as: market.tokens.reviewer, json })
      const bodies: [object, string][] = [
        [{ decision: 'approve' }, ''],
        [{ decision: 'approve', justification: '' }, '/justification'],
        [{ decision: 'approve', justification: '  \n ' }, '/justification'],
        [{ decision: 'approve', justification: '\u200b\u2060' }, '/justification'],
        [{ decision: 'publish', justification: 'x' }, '/decision'],
        [{ decision: 'approve', justification: 'x', force: true }, '/force'],
      ]
      for (const [json, pointer] of bodies) {
        const { status, body } = await send(json)
        expect([status, body.code, body.errors[0]?.pointer], JSON.stringify(json)).to.deep.equal([
          400,
          'body_malformed',
          pointer,
        ])
      }
      expect((await send({ decision: 'approve', justification: 'a\0b' })).status).to.equal(400)
      const missing = await decide('0192f6a0-0000-7000-8000-000000000001', 'approve')
      expect([missing.status, missing.body.code]).to.deep.equal([404, 'not_found'])
    })
  })

  it('pages the queue by urgency, and refuses a cursor it never gave', async () => {
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const body: { reviews: Review[]; next: string | null } = await queue(`?limit=2${next ? `&cursor=${next}` : ''}`)
      seen.push(...body.reviews.map(({ id }) => id))
      next = body.next
    }
    const open = await owner<{ id: string }>(
      "select id from marketplace.versions where status = 'in_review' order by due_at, id",
    )
    expect(seen).to.deep.equal(open.map(({ id }) => id))
    for (const parts of [['x', 'y'], ['2026-11-03T10:00:00.000Z'], ['2026-11-03T10:00:00.000Z', 'x'], []]) {
      const forged = Buffer.from(JSON.stringify(parts)).toString('base64url')
      const { status, body } = await market.call<Problem>('GET', `/reviews?cursor=${forged}`, {
        as: market.tokens.reviewer,
      })
      expect([status, body.code], JSON.stringify(parts)).to.deep.equal([400, 'parameter_invalid'])
    }
  })
})
