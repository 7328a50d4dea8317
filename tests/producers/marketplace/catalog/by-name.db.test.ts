import { expect } from 'chai'
import { type Marketplace, openMarketplace, type Problem } from '../fixture.ts'

type Version = { version: string; status: string }
type ByName = { name: string; latest: Version | null; versions: Version[]; next: string | null }

describe('producers/marketplace/catalog: versions by name', () => {
  let market: Marketplace
  const versions: Record<string, string> = {
    '0.9.0': 'published',
    '1.0.0': 'published',
    '1.2.0': 'published',
    '1.2.1': 'deprecated',
    '1.10.0': 'yanked',
    '2.0.0-rc.1': 'published',
    '3.0.0': 'deprecated',
    '4.0.0': 'blocked',
    '5.0.0': 'in_review',
  }
  before(async () => {
    market = await openMarketplace()
    for (const version of Object.keys(versions).toReversed()) await market.upload({ name: 'many', version })
    await market.upload({ name: 'drafted' })
    for (const [version, status] of Object.entries(versions))
      await market.database
        .as('postgres')
        .query("update marketplace.versions set status = ? where name = 'many' and version = ?", [status, version])
  })
  after(() => market.close())

  const byName = (name: string, query = '', as = market.tokens.acme) =>
    market.call<ByName & Problem>('GET', `/wpk/by-name/${name}${query}`, { as })
  const resolve = async (range: string, as = market.tokens.acme) => {
    const query = new URLSearchParams({ name: 'many', range })
    const { status, body } = await market.call<Version & Problem>('GET', `/wpk/resolve?${query}`, { as })
    return status === 200 ? body.version : `${status} ${body.code}`
  }

  it('are listed newest first by semantic version, with the latest that everybody should use', async () => {
    const { body } = await byName('many')
    const seen = ['3.0.0', '2.0.0-rc.1', '1.10.0', '1.2.1', '1.2.0', '1.0.0', '0.9.0']
    expect(body.versions.map(({ version }) => version)).to.deep.equal(seen)
    expect(body.latest).to.include({ version: '1.2.0', status: 'published' })
    const own = await byName('many', '', market.tokens.demo)
    expect(own.body.versions.map(({ version }) => version)).to.deep.equal(['5.0.0', '4.0.0', ...seen])
    expect(own.body.latest).to.include({ version: '1.2.0' })
  })

  it('come in pages, each version once', async () => {
    const seen: string[] = []
    let query = '?limit=2'
    for (;;) {
      const { body } = await byName('many', query)
      seen.push(...body.versions.map(({ version }) => version))
      if (body.next === null) break
      query = `?limit=2&cursor=${body.next}`
    }
    expect(seen).to.deep.equal(['3.0.0', '2.0.0-rc.1', '1.10.0', '1.2.1', '1.2.0', '1.0.0', '0.9.0'])
  })

  it('are not there for who sees none of them', async () => {
    for (const name of ['absent', 'drafted', '%2e', "'"]) {
      const { status, body } = await byName(name)
      expect([status, body.code], name).to.deep.equal([404, 'not_found'])
    }
    const own = (await byName('drafted', '', market.tokens.demo)).body
    expect([own.latest, own.versions.length]).to.deep.equal([null, 1])
  })

  it('resolve to the best that is published in a range', async () => {
    expect(await resolve('^1.0.0')).to.equal('1.2.0')
    expect(await resolve('*')).to.equal('1.2.0')
    expect(await resolve('<1.0.0')).to.equal('0.9.0')
    expect(await resolve('1.0.0 - 1.1.x')).to.equal('1.0.0')
    expect(await resolve('>=2.0.0-rc.0 <2.0.0')).to.equal('2.0.0-rc.1')
  })

  it('resolve to a deprecated one when there is nothing better, to a yanked one by its number only', async () => {
    expect(await resolve('>=2.0.0')).to.equal('3.0.0')
    expect(await resolve('~1.2.1')).to.equal('1.2.1')
    expect(await resolve('1.10.0')).to.equal('1.10.0')
    expect(await resolve('v1.10.0')).to.equal('1.10.0')
    expect(await resolve('=1.10.0')).to.equal('1.10.0')
    expect(await resolve('~1.10.0')).to.equal('404 no_version_fits')
    expect(await resolve('4.0.0', market.tokens.demo), 'blocked').to.equal('404 no_version_fits')
    expect(await resolve('5.0.0', market.tokens.demo), 'not decided').to.equal('404 no_version_fits')
  })

  it('tell builds of one version apart when asked to', async () => {
    for (const version of ['1.0.0+a', '1.0.0+b', '99999999999999999999.0.0']) {
      await market.upload({ name: 'built', version })
      await market.database
        .as('postgres')
        .query("update marketplace.versions set status = 'published' where name = 'built'")
    }
    const built = async (range: string) => {
      const path = `/wpk/resolve?${new URLSearchParams({ name: 'built', range })}`
      return (await market.call<Version>('GET', path, { as: market.tokens.acme })).body.version
    }
    expect(await built('1.0.0+a')).to.equal('1.0.0+a')
    expect(await built('1.0.0+b')).to.equal('1.0.0+b')
    expect(await built('1.0.0')).to.be.oneOf(['1.0.0+a', '1.0.0+b'])
    expect(await built('1.0.0+c')).to.equal(undefined)
  })

  it('refuse what is no range, no name and no cursor, pointing at it', async () => {
    const ask = (query: string) =>
      market.call<Problem>('GET', `/wpk/resolve?${query}`, { as: market.tokens.acme }).then(({ status, body }) => ({
        status,
        code: body.code,
        pointer: body.errors[0]?.pointer,
      }))
    const refused = (pointer: string) => ({ status: 400, code: 'parameter_invalid', pointer })
    expect(await ask('name=many&range=one')).to.deep.equal(refused('/range'))
    expect(await ask(`name=many&range=${'1'.repeat(300)}`)).to.deep.equal(refused('/range'))
    expect(await ask('range=1')).to.deep.equal(refused('/name'))
    expect(await ask('name=absent&range=1')).to.deep.equal({ status: 404, code: 'not_found', pointer: undefined })
    expect((await byName('many', '?cursor=abc')).status).to.equal(400)
  })
})
