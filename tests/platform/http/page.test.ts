import { expect } from 'chai'
import fc from 'fast-check'
import { nextLink, page, pageRequest } from '../../../platform/http/page.ts'
import { holds } from '../../support/property.ts'

const asked = (query: string) => pageRequest(new URLSearchParams(query), ['uuid'])

describe('platform/http/page', () => {
  it('reads limit and cursor, with a default', () => {
    expect(asked('')).to.deep.equal({ limit: 50, after: null })
    expect(asked('limit=500')).to.deep.equal({ limit: 500, after: null })
  })

  for (const query of ['limit=0', 'limit=501', 'limit=-1', 'limit=1.5', 'limit=', 'limit=ten', 'limit=%20'])
    it(`refuses ${query}`, () => {
      expect(() => asked(query))
        .to.throw('`limit`')
        .with.property('code', 'parameter_invalid')
    })
  for (const cursor of [
    '',
    'x',
    Buffer.from('{}').toString('base64url'),
    Buffer.from('[1]').toString('base64url'),
    '%00',
  ].concat(
    // Well-formed, but of another list or forged: the database must never see these.
    [['a'], [], ['01a2074a-0000-7000-8000-000000000000', 'x']].map((parts) =>
      Buffer.from(JSON.stringify(parts)).toString('base64url'),
    ),
  ))
    it(`refuses the cursor «${cursor}»`, () => {
      expect(() => asked(`cursor=${cursor}`))
        .to.throw('`cursor`')
        .with.property('status', 400)
    })

  it('shows every row that was there at the start exactly once, whatever is inserted meanwhile', () => {
    const keys = fc.uniqueArray(fc.integer({ min: 0, max: 10_000 }), { maxLength: 60 })
    return holds(
      fc.property(keys, keys, fc.integer({ min: 1, max: 9 }), (existing, inserted, limit) => {
        const rows = new Set(existing)
        const waiting = inserted.filter((key) => !rows.has(key))
        const seen: number[] = []
        let query = new URLSearchParams({ limit: String(limit) })
        for (;;) {
          const request = pageRequest(query, ['integer'])
          const last = request.after ? Number(request.after[0]) : -1
          const sorted = [...rows].filter((key) => key > last).sort((a, b) => a - b)
          const { items, next } = page(sorted.slice(0, request.limit + 1), request.limit, (key) => [String(key)])
          seen.push(...items)
          if (next === null) break
          query = new URLSearchParams({ limit: String(limit), cursor: next })
          for (const key of waiting.splice(0, 2)) rows.add(key)
        }
        expect(new Set(seen).size).to.equal(seen.length)
        expect(existing.filter((key) => !seen.includes(key))).to.deep.equal([])
      }),
    )
  })

  it('links to the same call with the next cursor', () => {
    const { next } = page(['a', 'b'], 1, (key) => [key])
    const { link } = nextLink('/wpk/list', new URLSearchParams('q=x y&limit=1'), next)
    expect(link).to.equal(`</wpk/list?q=x+y&limit=1&cursor=${next}>; rel="next"`)
    expect(nextLink('/wpk/list', new URLSearchParams(), null)).to.deep.equal({})
    expect(page(['a'], 1, (key) => [key]).next, 'a full page that is the last').to.equal(null)
  })
})
