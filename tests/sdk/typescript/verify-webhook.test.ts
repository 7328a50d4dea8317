import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { AtomError, verifyWebhook } from '../../../sdk/typescript/index.ts'

type Case = {
  name: string
  body: string
  headers: Record<string, string>
  secrets: string[]
  now: number
  event?: object
  refused?: string
}
const cases = JSON.parse(readFileSync(new URL('../webhook-vectors.json', import.meta.url), 'utf8')) as Case[]

describe('sdk/typescript: verifyWebhook', () => {
  for (const { name, body, headers, secrets, now, event, refused } of cases) {
    const verify = (sent: string | Uint8Array) =>
      verifyWebhook(sent, headers, secrets, { now: () => new Date(now * 1000) })
    if (refused === undefined)
      it(`takes ${name}`, () => {
        expect(verify(body)).to.deep.equal(event)
        expect(verify(Buffer.from(body)), 'as bytes').to.deep.equal(event)
      })
    else
      it(`refuses ${name}`, () => {
        expect(() => verify(body))
          .to.throw(AtomError)
          .with.property('code', refused)
      })
  }

  it('reads the headers of fetch, and refuses a body that was parsed', () => {
    const [first] = cases as [Case]
    const options = { now: () => new Date(first.now * 1000) }
    const secret = first.secrets[0] as string
    expect(verifyWebhook(first.body, new Headers(first.headers), secret, options)).to.deep.equal(first.event)
    const parsed = JSON.parse(first.body) as string
    expect(() => verifyWebhook(parsed, first.headers, secret, options)).to.throw(AtomError, /raw bytes/)
  })
})
