import { expect } from 'chai'
import { finding, openReviewing, type Reviewing } from './working.ts'

describe('producers/marketplace/review: a second person for critical findings', () => {
  let market: Reviewing
  before(async () => {
    market = await openReviewing()
  })
  after(() => market.close())

  const critical = async (name: string) => {
    market.plant(name, 0.9, [finding({ severity: 'critical' })])
    return market.inReview(name)
  }
  const approve = (id: string, as?: string) => market.decide(id, { decision: 'approve' }, as)
  const decisions = (id: string) =>
    market.owner<Record<string, unknown>>(
      'select decision, approver, policy_version from marketplace.decisions where version_id = ? order by decided_at, id',
      [id],
    )

  it('takes two different people, records both, and publishes once', async () => {
    const id = await critical('two-people')
    const first = await approve(id)
    expect([first.status, first.body]).to.deep.equal([202, { id, status: 'in_review', approvals: 1, needed: 2 }])
    for (const _ of [1, 2]) expect((await approve(id)).status, 'the same person again').to.equal(202)
    const item = (await market.queue()).reviews.find((one) => one.id === id)
    expect(item).to.include({ approvals: 1, approvals_needed: 2, claimed_by: null })
    const second = await approve(id, market.tokens.other)
    expect([second.status, second.body]).to.deep.equal([200, { id, status: 'approved' }])
    await market.statusBecomes(id, 'published')
    expect(await decisions(id)).to.deep.equal([
      { decision: 'endorse', approver: 'atom-reviewer@atom', policy_version: 1 },
      { decision: 'approve', approver: 'atom-reviewer-data@atom', policy_version: 1 },
    ])
    expect(await market.told('two-people')).to.deep.equal([
      'wpk.submitted',
      'wpk.verdict',
      'wpk.reviewed',
      'wpk.published',
    ])
    const [said] = await market.owner<{ value: Buffer }>(
      "select value from platform.event_log where key = 'two-people' and headers->>'ce_type' = 'wpk.reviewed'",
    )
    expect(JSON.parse(said?.value.toString() ?? '')).to.deep.include({
      policy_version: 1,
      approvals: ['atom-reviewer@atom', 'atom-reviewer-data@atom'],
    })
  })

  it('takes two at once as one publication, and one person twice at once as one approval', async () => {
    const id = await critical('at-once')
    const answers = await Promise.all([approve(id), approve(id), approve(id, market.tokens.other)])
    expect(answers.filter(({ status }) => status === 200)).to.have.length(1)
    for (const { status } of answers) expect([200, 202, 409]).to.include(status)
    await market.statusBecomes(id, 'published')
    expect((await decisions(id)).map(({ decision }) => decision)).to.deep.equal(['endorse', 'approve'])
    expect((await market.told('at-once')).filter((type) => type === 'wpk.published')).to.have.length(1)
  })

  it('needs one only to reject or ask for changes, before or after a first approval', async () => {
    const id = await critical('rejected')
    await approve(id)
    const { status, body } = await market.decide(id, { decision: 'reject' }, market.tokens.other)
    expect([status, body.status]).to.deep.equal([200, 'rejected'])
    const changes = await critical('changed')
    expect((await market.decide(changes, { decision: 'request_changes' })).status).to.equal(200)
  })

  it('lets the first approver change its mind', async () => {
    const id = await critical('minded')
    await approve(id)
    expect((await market.decide(id, { decision: 'reject' })).body.status).to.equal('rejected')
  })

  it('takes one person for a package that asks for just one by running without a person (P-3)', async () => {
    const unattended = finding({ severity: 'critical', rule_id: 'WPK-P3-001' })
    market.plant('unattended', 0.9, [unattended])
    const id = await market.inReview('unattended', { mode: 'auto' })
    expect((await approve(id)).status).to.equal(200)
    await market.statusBecomes(id, 'published')
    const next = await market.inReview('unattended', { mode: 'auto', version: '1.0.1' })
    const accept = [
      { fingerprint: unattended.fingerprint, expires_at: '2026-12-01T00:00:00Z', owner: 'ops', reason: 'Bounded.' },
    ]
    const first = await market.decide(next, { decision: 'approve', accept })
    expect([first.status, first.body.needed], 'but two to accept it for later').to.deep.equal([202, 2])
    expect((await market.decide(next, { decision: 'approve', accept }, market.tokens.other)).status).to.equal(200)
    const third = await market.inReview('unattended', { mode: 'auto', version: '1.0.2' })
    expect((await market.statusBecomes(third, 'in_review')).reason).to.contain('safety.mode is not manual')
  })

  it('takes one person for everything below critical', async () => {
    market.plant('high', 0.6, [finding()])
    const id = await market.inReview('high')
    expect((await approve(id)).status).to.equal(200)
  })
})
