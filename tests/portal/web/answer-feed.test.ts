import { expect } from 'chai'
import { answerFeed } from '../../../portal/web/answer-feed.ts'
import { RequestFailed } from '../../../portal/web/problem.ts'

/** A load whose requests are answered by hand, in any order. */
const handheld = () => {
  const asked: {
    token: string
    signal: AbortSignal
    answer: (data: string) => void
    fail: (error: unknown) => void
  }[] = []
  const load = (token: string, signal: AbortSignal) =>
    new Promise<string>((answer, fail) => {
      asked.push({ token, signal, answer, fail })
    })
  return { asked, load }
}

describe('answer feed', () => {
  it('keeps the last data when a refresh fails, and says why', async () => {
    const { asked, load } = handheld()
    const feed = answerFeed(load)
    const first = feed.refresh()
    asked[0]?.answer('figures')
    await first
    const second = feed.refresh()
    const problem = { title: 'Not ready', detail: 'Wait.', request_id: 'r-1' }
    asked[1]?.fail(new RequestFailed(problem))
    await second
    expect(feed.snapshot()).to.deep.equal({ data: 'figures', problem, loading: false })
  })

  it('clears the problem with the next answer', async () => {
    const { asked, load } = handheld()
    const feed = answerFeed(load)
    const first = feed.refresh()
    asked[0]?.fail(new TypeError('network'))
    await first
    expect(feed.snapshot().problem?.title).to.equal('The portal cannot be reached')
    const second = feed.refresh()
    asked[1]?.answer('figures')
    await second
    expect(feed.snapshot()).to.deep.equal({ data: 'figures', problem: null, loading: false })
  })

  it('asks nothing while a question is open', async () => {
    const { asked, load } = handheld()
    const feed = answerFeed(load)
    const first = feed.refresh()
    await feed.refresh()
    await feed.refresh()
    expect(asked).to.have.length(1)
    asked[0]?.answer('figures')
    await first
  })

  it('forgets what the former reader saw as soon as the token changes', async () => {
    const { asked, load } = handheld()
    const feed = answerFeed(load)
    const first = feed.refresh()
    asked[0]?.answer('of the visitor')
    await first
    const second = feed.setToken('acme-token')
    expect(feed.snapshot()).to.deep.equal({ data: null, problem: null, loading: true })
    asked[1]?.answer('of acme')
    await second
    expect(asked[1]?.token).to.equal('acme-token')
    expect(feed.snapshot().data).to.equal('of acme')
  })

  it('never shows an answer that was on its way to the former reader', async () => {
    const { asked, load } = handheld()
    const feed = answerFeed(load)
    const first = feed.refresh()
    const second = feed.setToken('acme-token')
    expect(asked[0]?.signal.aborted).to.equal(true)
    asked[1]?.answer('of acme')
    asked[0]?.answer('of the visitor')
    await Promise.all([first, second])
    expect(feed.snapshot()).to.deep.equal({ data: 'of acme', problem: null, loading: false })
  })
})
