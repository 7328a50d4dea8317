import { expect } from 'chai'
import { queueUnanswered } from '../../../producers/marketplace/unanswered.ts'
import { eventually } from '../../support/eventually.ts'
import { type Marketplace, openMarketplace, verdictOf } from './fixture.ts'

describe('producers/marketplace: versions without a verdict', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
  })
  after(() => market.close())

  const queued = (seconds: number) =>
    queueUnanswered(market.database.as('atom_marketplace'), new Date(market.clock().getTime() + seconds * 1_000))
  const shown = async (id: string) =>
    (
      await market.call<{ status: string; reason: string; place: number | null; risk_score: number | null }>(
        'GET',
        `/wpk/${id}`,
        {
          as: market.tokens.demo,
        },
      )
    ).body

  it('look different from a finding after two minutes, wait a quarter of an hour, then for a person', async () => {
    const { id } = await market.upload({ name: 'unanswered', mode: 'manual' })
    expect(await queued(119)).to.equal(0)
    expect(await shown(id)).to.include({ status: 'submitted', place: null })
    expect(await queued(121)).to.equal(1)
    expect(await queued(121)).to.equal(0)
    const errored = await shown(id)
    expect(errored).to.include({ status: 'errored', place: null, risk_score: null })
    expect(errored.reason).to.contain('nothing was found in the package')
    expect(await queued(15 * 60 + 1)).to.equal(1)
    expect(await queued(15 * 60 + 1)).to.equal(0)
    expect(await shown(id)).to.include({
      status: 'in_review',
      place: 1,
      reason: 'The analyzer did not answer; a reviewer looks at it without its findings.',
    })
    const waiting = await market.upload({ name: 'waiting', mode: 'manual' })
    await queued(121)
    expect(await shown(waiting.id)).to.include({ status: 'errored' })
    await market.judging((_name, digest) => verdictOf(digest, { risk_score: 0.5, decision: 'review' }))
    await eventually('the verdict is there', async () => (await shown(id)).risk_score === 0.5)
    expect(await shown(id)).to.include({ status: 'in_review' })
    await market.statusBecomes(waiting.id, 'in_review')
  })
})
