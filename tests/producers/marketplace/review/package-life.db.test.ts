import { expect } from 'chai'
import type { LooseJson } from '../../../support/signed-forms.ts'
import { finding, openReviewing, type Reviewing } from './working.ts'

describe('producers/marketplace: the whole life of a package, through HTTP', () => {
  let market: Reviewing
  before(async () => {
    market = await openReviewing()
  })
  after(() => market.close())

  it('is published, held, changed on request, published, remembered, deprecated and blocked', async () => {
    const { demo, acme, reviewer } = market.tokens
    const high = finding()
    const shown = async (id: string, as = demo) => (await market.call<LooseJson>('GET', `/wpk/${id}`, { as })).body
    market.plant('life', 0.6, [high], ['network'])

    const submitted = await market.upload({ name: 'life', mode: 'manual' })
    expect(submitted).to.include({
      status: 'submitted',
      place: null,
      next_step: 'The analyzer judges it now; nothing to do.',
    })
    await market.statusBecomes(submitted.id, 'in_review')
    const held = await shown(submitted.id)
    expect(held).to.include({ status: 'in_review', place: 1, expected_decision_at: '2026-11-03T10:00:00.000Z' })
    expect(held.reason).to.contain('WPK-P3-005')
    expect((await market.call('GET', `/wpk/${submitted.id}`, { as: acme })).status).to.equal(404)

    await market.post(`/reviews/${submitted.id}/claim`)
    await market.post(`/reviews/${submitted.id}/heartbeat`)
    const asked = await market.decide(submitted.id, {
      decision: 'request_changes',
      justification: 'Pin what is downloaded.',
    })
    expect(asked.body.status).to.equal('changes_requested')
    expect(await shown(submitted.id)).to.include({
      reason: 'Pin what is downloaded.',
      next_step: 'Change what the reason names and upload a new version.',
    })
    await market.post(`/wpk/${submitted.id}/messages`, demo, { text: 'Pinned in 1.0.1.' })

    const second = await market.upload({ name: 'life', version: '1.0.1', mode: 'manual' })
    await market.statusBecomes(second.id, 'in_review')
    expect((await shown(submitted.id)).reason).to.contain('Superseded by 1.0.1')
    const dossier = (await market.call<LooseJson>('GET', `/reviews/${second.id}`, { as: reviewer })).body
    expect(dossier.thread.entries.map(({ kind }: LooseJson) => kind)).to.deep.equal([
      ...['version', 'decision', 'message', 'version', 'decision'],
    ])
    const accept = [
      { fingerprint: high.fingerprint, expires_at: '2026-12-31T00:00:00Z', owner: 'demo ops', reason: 'Pinned.' },
    ]
    expect((await market.decide(second.id, { decision: 'approve', accept })).status).to.equal(200)
    await market.statusBecomes(second.id, 'published')
    expect((await shown(second.id, acme)).status).to.equal('published')

    const third = await market.upload({ name: 'life', version: '1.1.0', mode: 'manual' })
    expect((await market.statusBecomes(third.id, 'published')).reason).to.contain('accepted finding')

    const withdraw = (act: string, as: string) =>
      market.post<{ status: string }>(`/wpk/${third.id}/${act}`, as, { reason: 'Old.' })
    expect((await withdraw('deprecate', demo)).body.status).to.equal('deprecated')
    expect((await withdraw('block', reviewer)).body.status).to.equal('blocked')
    expect((await market.call('GET', `/wpk/${third.id}`, { as: acme })).status).to.equal(404)
    expect((await withdraw('deprecate', demo)).body.code).to.equal('move_refused')

    expect(await market.told('life')).to.deep.equal([
      ...['wpk.submitted', 'wpk.verdict', 'wpk.reviewed'],
      ...['wpk.submitted', 'wpk.rejected', 'wpk.verdict', 'wpk.reviewed', 'wpk.published'],
      ...['wpk.submitted', 'wpk.verdict', 'wpk.published', 'wpk.deprecated', 'wpk.blocked'],
    ])
  })
})
