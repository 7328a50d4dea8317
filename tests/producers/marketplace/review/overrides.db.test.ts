import { expect } from 'chai'
import type { LooseJson } from '../../../support/signed-forms.ts'
import { finding, openReviewing, type Reviewing } from './working.ts'

type Override = {
  id: string
  package: string
  fingerprint: string
  accepted_by: string[]
  active: boolean
  revoked_by: string | null
}
const START = '2026-11-02T10:00:00Z'
const high = finding()
const critical = finding({ severity: 'critical', fingerprint: 'c'.repeat(64) })
const accepting = ({ fingerprint } = high, more: object = {}) => ({
  decision: 'approve',
  accept: [
    {
      fingerprint,
      expires_at: '2026-12-02T00:00:00Z',
      owner: 'platform team',
      reason: 'Installs its own tool.',
      ...more,
    },
  ],
})

describe('producers/marketplace/review/overrides', () => {
  let market: Reviewing
  before(async () => {
    market = await openReviewing()
  })
  after(() => market.close())
  afterEach(() => market.clock.set(START))

  const overrides = async (name: string, query = '') =>
    (
      await market.call<{ overrides: Override[] }>('GET', `/reviews/overrides?package=${name}${query}`, {
        as: market.tokens.reviewer,
      })
    ).body.overrides
  const standing = async (name: string, version: string, wanted: string) => {
    const { id } = await market.upload({ name, mode: 'manual', version })
    return market.statusBecomes(id, wanted)
  }
  const accepted = async (name: string) => {
    market.plant(name, 0.6, [high])
    const id = await market.inReview(name)
    const { status, body } = await market.decide(id, accepting())
    expect([status, body]).to.deep.equal([200, { id, status: 'approved' }])
    await market.statusBecomes(id, 'published')
    return id
  }

  it('let the next version pass that has the same finding, and say so', async () => {
    await accepted('remembered')
    const next = await standing('remembered', '1.0.1', 'published')
    expect(next.reason).to.contain('1 accepted finding(s) did not count')
    const [one] = await overrides('remembered')
    expect(one).to.include({ package: 'remembered', fingerprint: high.fingerprint, active: true })
    expect(one?.accepted_by).to.deep.equal(['atom-reviewer@atom'])
  })

  it('are in the signed statement of the approval', async () => {
    const id = await accepted('attested')
    await market.keepRecord()
    const { body } = await market.call<LooseJson>('GET', `/wpk/${id}/verdict`, { as: market.tokens.demo })
    const { payload } = body.attestations.at(-1).bundle.dsseEnvelope
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString())
    expect(predicate.accepted).to.deep.equal([
      {
        fingerprint: high.fingerprint,
        owner: 'platform team',
        reason: 'Installs its own tool.',
        expires_at: '2026-12-02T00:00:00.000Z',
      },
    ])
  })

  it('hold what has another finding beside it, or a higher risk', async () => {
    await accepted('beside')
    market.plant('beside', 0.6, [high, finding({ fingerprint: 'd'.repeat(64) })])
    expect((await standing('beside', '1.0.1', 'in_review')).reason).to.contain('1 finding(s) that the policy holds')
    market.plant('beside', 0.7, [high])
    expect((await standing('beside', '1.0.2', 'in_review')).reason).to.contain('risk 0.7 is not below')
  })

  it('are of one package, not of its publisher', async () => {
    await accepted('this-one')
    market.plant('that-one', 0.6, [high])
    await market.published('that-one')
    expect((await standing('that-one', '1.0.1', 'in_review')).reason).to.contain('finding(s) that the policy holds')
    expect(await overrides('that-one')).to.deep.equal([])
  })

  it('end with their time, and when they are taken back', async () => {
    await accepted('expiring')
    market.clock.set('2026-12-02T00:00:00Z')
    expect((await standing('expiring', '1.0.1', 'in_review')).reason).to.contain('finding(s) that the policy holds')
    expect((await overrides('expiring')).map(({ active }) => active)).to.deep.equal([false])
    expect(await overrides('expiring', '&state=active')).to.deep.equal([])
    market.clock.set(START)
    await accepted('revoked')
    const [{ id } = { id: '' }] = await overrides('revoked', '&state=active')
    const revoke = (as = market.tokens.reviewer) => market.call('DELETE', `/reviews/overrides/${id}`, { as })
    expect((await revoke(market.tokens.demo)).status).to.equal(403)
    expect((await revoke()).status).to.equal(204)
    expect((await revoke(market.tokens.other)).status, 'again').to.equal(204)
    expect((await overrides('revoked'))[0]).to.include({ active: false, revoked_by: 'atom-reviewer@atom' })
    expect((await standing('revoked', '1.0.1', 'in_review')).reason).to.contain('finding(s) that the policy holds')
    const absent = await market.call('DELETE', '/reviews/overrides/none', { as: market.tokens.reviewer })
    expect([absent.status, absent.body.code]).to.deep.equal([404, 'not_found'])
  })

  it('of a critical finding take two people who both name it', async () => {
    for (const name of ['both', 'only-first', 'only-last']) market.plant(name, 0.9, [critical])
    const [both, first, last] = [
      await market.inReview('both'),
      await market.inReview('only-first'),
      await market.inReview('only-last'),
    ]
    const { other } = market.tokens
    expect((await market.decide(both, accepting(critical))).status).to.equal(202)
    expect(await overrides('both'), 'not before the second').to.deep.equal([])
    expect((await market.decide(both, accepting(critical), other)).status).to.equal(200)
    expect((await overrides('both'))[0]?.accepted_by).to.deep.equal(['atom-reviewer@atom', 'atom-reviewer-data@atom'])
    await market.statusBecomes(both, 'published')
    await standing('both', '1.0.1', 'published')

    await market.decide(first, accepting(critical))
    expect((await market.decide(first, { decision: 'approve' }, other)).status).to.equal(200)
    expect(await overrides('only-first')).to.deep.equal([])

    await market.decide(last, { decision: 'approve' })
    const alone = await market.decide(last, accepting(critical), other)
    expect([alone.status, alone.body.code]).to.deep.equal([409, 'override_needs_two'])
    expect((await market.decide(last, accepting(critical))).status, 'the first names it after all').to.equal(202)
    expect((await market.decide(last, accepting(critical), other)).status).to.equal(200)
    expect(await overrides('only-last')).to.have.length(1)
  })

  it('are not kept of a version that is rejected in the end', async () => {
    market.plant('refused', 0.9, [critical, high])
    const id = await market.inReview('refused')
    await market.decide(id, accepting(high))
    await market.decide(id, { decision: 'reject' }, market.tokens.other)
    expect(await overrides('refused')).to.deep.equal([])
  })

  it('name a finding of the version, a time ahead within the policy, an owner and a reason', async () => {
    market.plant('checked', 0.6, [high])
    const id = await market.inReview('checked')
    const refused: [object, string][] = [
      [accepting(critical), '/accept/0/fingerprint'],
      [accepting(high, { expires_at: START }), '/accept/0/expires_at'],
      [accepting(high, { expires_at: '2027-11-03T10:00:00Z' }), '/accept/0/expires_at'],
      [accepting(high, { expires_at: 'tomorrow' }), '/accept/0/expires_at'],
      [accepting(high, { owner: ' ' }), '/accept/0/owner'],
      [accepting(high, { reason: '' }), '/accept/0/reason'],
      [{ ...accepting(), decision: 'reject' }, '/accept'],
    ]
    for (const [json, pointer] of refused) {
      const { status, body } = await market.decide(id, json)
      expect([status, body.code, body.errors[0]?.pointer], JSON.stringify(json)).to.deep.equal([
        400,
        'body_malformed',
        pointer,
      ])
    }
    expect(await market.owner('select 1 from marketplace.overrides where version_id = ?', [id])).to.deep.equal([])
  })
})
