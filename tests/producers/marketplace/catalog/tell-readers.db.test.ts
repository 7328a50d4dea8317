import { expect } from 'chai'
import { tellUntoldReaders } from '../../../../producers/marketplace/catalog/tell-readers.ts'
import { packageBytes, uploadOf } from '../../../support/packages.ts'
import { type Marketplace, openMarketplace } from '../fixture.ts'

describe('producers/marketplace/catalog/tell-readers', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
  })
  after(() => market.close())

  it('tells of readers once for each change, and once of those named before that was told', async () => {
    const told = async () =>
      (
        await market.database.as('postgres').query<{ data: { reader: string; access: string } }>(
          `select convert_from(value, 'utf8')::jsonb as data from platform.event_log
               where key = 'lent-out' and headers->>'ce_type' = 'wpk_reader.changed' order by xid, pos`,
        )
      ).map(({ data }) => `${data.reader} ${data.access}`)
    const json = { ...uploadOf(packageBytes({ name: 'lent-out' }), market.keys.demo), visibility: 'private' }
    await market.call('POST', '/wpk/upload', { as: market.tokens.demo, json })
    const act = (method: string, path: string, json?: object) =>
      market.call(method, `/wpk/names/lent-out/readers${path}`, {
        as: market.tokens.demo,
        ...(json ? { json } : {}),
      })
    await Promise.all([1, 2, 3].map(() => act('POST', '', { reader: 'acme' })))
    await Promise.all([1, 2, 3].map(() => act('DELETE', '/acme')))
    await act('POST', '', { reader: 'nobody' })
    await act('POST', '', { reader: 'acme' })
    expect(await told()).to.deep.equal(['acme granted', 'acme ended', 'acme granted'])
    const telling = () =>
      tellUntoldReaders({ db: market.database.as('atom_marketplace'), now: market.clock, wake: () => {} })
    await telling()
    expect(await told()).to.have.length(3)
    await market.database.as('postgres').query('update marketplace.name_readers set told_at = null')
    await Promise.all([telling(), telling()])
    expect(await told()).to.deep.equal(['acme granted', 'acme ended', 'acme granted', 'acme granted'])
  })
})
