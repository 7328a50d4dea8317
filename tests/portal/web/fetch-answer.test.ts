import { expect } from 'chai'
import { fetchAnswer } from '../../../portal/web/fetch-answer.ts'
import { problemFrom, RequestFailed } from '../../../portal/web/problem.ts'

const request = (response: Response, token = '') => {
  const seen: { authorization: string | null } = { authorization: null }
  const fetch = async (_input: unknown, init?: RequestInit) => {
    seen.authorization = new Headers(init?.headers).get('authorization')
    return response
  }
  const read = (body: unknown) => body
  return {
    seen,
    asking: fetchAnswer({ fetch, path: '/analytics/usage', read, token, signal: new AbortController().signal }),
  }
}

const thrownBy = async (asking: Promise<unknown>): Promise<unknown> =>
  asking.then(() => undefined).catch((error) => error)

describe('fetch answer', () => {
  it('sends the token when there is one and no header when there is none', async () => {
    const visitor = request(Response.json({}))
    await visitor.asking
    expect(visitor.seen.authorization).to.equal(null)
    const reader = request(Response.json({}), 'abc')
    await reader.asking
    expect(reader.seen.authorization).to.equal('Bearer abc')
  })

  it('carries title, detail and request id of a refusal', async () => {
    const body = { title: 'Sign in again', detail: 'The token has expired.', request_id: 'r-9' }
    const thrown = await thrownBy(request(Response.json(body, { status: 401 })).asking)
    expect(thrown).to.be.instanceOf(RequestFailed)
    expect(problemFrom(thrown)).to.deep.equal(body)
  })

  it('finds words for a refusal that is not a problem document', async () => {
    const thrown = await thrownBy(request(new Response('<h1>Bad gateway</h1>', { status: 502 })).asking)
    expect(problemFrom(thrown).title).to.equal('The request failed with HTTP status 502')
  })
})
