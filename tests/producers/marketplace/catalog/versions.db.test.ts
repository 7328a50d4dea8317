import { expect } from 'chai'
import { sqlState } from '../../../../platform/db.ts'
import { packageBytes, signatureOf, uploadOf } from '../../../support/packages.ts'
import { rejected } from '../../../support/rejected.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded } from '../fixture.ts'

describe('producers/marketplace/catalog: one version', () => {
  let market: Marketplace
  let first: Uploaded
  before(async () => {
    market = await openMarketplace()
    first = await market.upload({ name: 'stays', version: '1.0.0' })
  })
  after(() => market.close())

  const own = <B>(path: string) => market.call<B & Problem>('GET', path, { as: market.tokens.demo })

  describe('stays what was uploaded', () => {
    for (const change of [
      "digest = 'sha256:' || repeat('0', 64)",
      "version = '1.0.1'",
      "description = 'better'",
      "tags = '{new}'",
      "signature = '{}'",
      "media_type = 'application/yaml'",
    ])
      it(`even for the owner of the table: ${change.split(' ')[0]}`, async () => {
        const error = await rejected(
          market.database.as('postgres').query(`update marketplace.versions set ${change} where id = ?`, [first.id]),
        )
        expect(sqlState(error)).to.equal('23000')
      })

    it('by name too, which other tables go by', async () => {
      const move = "update marketplace.versions set name = 'other' where id = ?"
      expect(sqlState(await rejected(market.database.as('postgres').query(move, [first.id])))).to.equal('23000')
    })
  })

  describe('is not sent again to who has it', () => {
    const ask = async (ifNoneMatch: string) => {
      const headers = { authorization: `Bearer ${market.tokens.demo}`, 'if-none-match': ifNoneMatch }
      const answer = await fetch(`${market.service.url}/wpk/${first.id}/content`, { headers })
      const { byteLength } = await answer.arrayBuffer()
      return { status: answer.status, empty: byteLength === 0, etag: answer.headers.get('etag') }
    }
    const etag = () => `"${first.digest}"`

    it('whichever way the tag is given', async () => {
      const unchanged = { status: 304, empty: true, etag: etag() }
      for (const tag of [etag(), `W/${etag()}`, `"other", ${etag()}`, '*'])
        expect(await ask(tag), tag).to.deep.equal(unchanged)
    })

    it('but is sent to who has something else', async () => {
      for (const tag of ['"other"', first.digest, ''])
        expect(await ask(tag), tag).to.deep.equal({ status: 200, empty: false, etag: etag() })
    })
  })

  describe('is compared with another', () => {
    it('by value, whether they are JSON or YAML', async () => {
      const yaml = Buffer.from(
        'spec:\n  handlers:\n  - {type: shell, name: one, config: {command: echo restarted}}\n' +
          'metadata: {name: stays, version: 1.1.0}\nkind: WorkflowPackage\napiVersion: v1\n',
      )
      const json = { content: yaml.toString(), signature: signatureOf(yaml, market.keys.demo) }
      const { body: second } = await market.call<Uploaded>('POST', '/wpk/upload', { as: market.tokens.demo, json })
      const { status, body } = await own<object>(`/wpk/${first.id}/diff?to=${second.id}`)
      expect(status).to.equal(200)
      expect(body).to.deep.equal({
        from: { id: first.id, name: 'stays', version: '1.0.0', digest: first.digest },
        to: { id: second.id, name: 'stays', version: '1.1.0', digest: second.digest },
        changes: [{ op: 'replace', pointer: '/metadata/version', from: '1.0.0', to: '1.1.0' }],
        truncated: false,
      })
    })

    it('only by who may see both', async () => {
      const other = await market.upload({ name: 'unseen-draft' }, 'acme')
      const absent = await own<object>(`/wpk/${first.id}/diff?to=01990000-0000-7000-8000-000000000000`)
      for (const path of [`${first.id}/diff?to=${other.id}`, `${other.id}/diff?to=${first.id}`]) {
        const { status, body } = await own<object>(`/wpk/${path}`)
        expect([status, body.code, body.detail]).to.deep.equal([404, 'not_found', absent.body.detail])
      }
      for (const query of ['', '?to=', '?to=x'])
        expect((await own(`/wpk/${first.id}/diff${query}`)).body.code).to.equal('parameter_invalid')
    })
  })

  describe('counts its downloads', () => {
    type Days = { days: { day: string; count: number }[]; next: string | null }
    const total = async (id: string) => (await own<{ downloads: object }>(`/wpk/${id}`)).body.downloads

    it('by day, once for each answer with the bytes, and keeps nobody who asked', async () => {
      const { id, digest } = await market.upload({ name: 'wanted' })
      const download = (headers: object = {}) =>
        fetch(`${market.service.url}/wpk/${id}/content`, {
          headers: { authorization: `Bearer ${market.tokens.demo}`, ...headers },
        }).then((answer) => answer.arrayBuffer())
      expect(await total(id)).to.deep.equal({ total: 0, last_30_days: 0 })
      await Promise.all([download(), download(), download({ 'if-none-match': `"${digest}"` })])
      await market.call('GET', `/wpk/${id}/content`, { as: market.tokens.acme })
      await market.downloads.flush()
      expect(await total(id)).to.deep.equal({ total: 2, last_30_days: 2 })
      market.clock.advance(40 * 86_400_000)
      await download()
      await Promise.all([market.downloads.flush(), market.downloads.flush()])
      expect(await total(id)).to.deep.equal({ total: 3, last_30_days: 1 })
      const days = [
        { day: '2026-12-12', count: 1 },
        { day: '2026-11-02', count: 2 },
      ]
      expect((await own<Days>(`/wpk/${id}/downloads`)).body).to.deep.equal({ days, next: null })
      const page = (await own<Days>(`/wpk/${id}/downloads?limit=1`)).body
      expect(page.days).to.deep.equal(days.slice(0, 1))
      expect((await own<Days>(`/wpk/${id}/downloads?limit=1&cursor=${page.next}`)).body.days).to.deep.equal(
        days.slice(1),
      )
      expect((await market.call('GET', `/wpk/${id}/downloads`, { as: market.tokens.acme })).status).to.equal(404)
    })

    it('also when storing them fails for a while', async () => {
      const { id } = await market.upload({ name: 'kept' })
      const owner = market.database.as('postgres')
      await market.call('GET', `/wpk/${id}/content`, { as: market.tokens.demo })
      await owner.query('revoke insert on marketplace.downloads from atom_marketplace')
      expect(sqlState(await rejected(market.downloads.flush()))).to.equal('42501')
      await market.call('GET', `/wpk/${id}/content`, { as: market.tokens.demo })
      await owner.query('grant insert on marketplace.downloads to atom_marketplace')
      await market.downloads.flush()
      expect(await total(id)).to.deep.equal({ total: 2, last_30_days: 2 })
    })
  })

  it('takes a description and tags of any length into the search', async () => {
    const words = Array.from({ length: 60_000 }, (_, i) => `w${i}`).join(' ')
    const tags = Array.from({ length: 2_000 }, (_, i) => `tag-${i}-${'x'.repeat(100)}`)
    const bytes = packageBytes({ name: 'talkative', description: words, tags })
    const answer = await market.call('POST', '/wpk/upload', {
      as: market.tokens.demo,
      json: uploadOf(bytes, market.keys.demo),
    })
    expect(answer.status).to.equal(202)
    const { body } = await own<{ wpks: { name: string }[] }>('/wpk/list?q=w1000')
    expect(body.wpks.map(({ name }) => name)).to.deep.equal(['talkative'])
  })
})
