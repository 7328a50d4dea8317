import { expect } from 'chai'
import { marketplaceRoutes } from '../../../producers/marketplace/index.ts'
import { proofText } from '../../../producers/marketplace/signing-keys.ts'
import { type CutDb, cutDb } from '../../support/cut-db.ts'
import { newKey } from '../../support/organisations.ts'
import { packageBytes, uploadOf } from '../../support/packages.ts'
import { type CallOptions, startService, type TestService } from '../../support/service.ts'
import { base64, signWith } from '../../support/signed-forms.ts'
import type { Uploaded } from './fixture.ts'
import { finding, openReviewing, type Reviewing } from './review/working.ts'

const TABLES = [
  ...['names', 'versions', 'decisions', 'messages', 'overrides', 'signing_keys'].map((name) => `marketplace.${name}`),
  ...['platform.artifacts', 'platform.event_log'],
]
/** More than any of these calls makes. */
const MOST_STATEMENTS = 60

describe('producers/marketplace: killed after any statement, all of a call is there or nothing', () => {
  let market: Reviewing
  let db: CutDb
  let service: TestService
  before(async () => {
    market = await openReviewing()
    db = cutDb(market.deps.db)
    const routes = marketplaceRoutes({ ...market.deps, db }, market.database.as('atom_marketplace'), market.downloads)
    service = await startService(routes, market.organisations.authenticate)
  })
  after(async () => {
    await service.close()
    await market.close()
  })

  const everything = async (): Promise<string[]> => {
    const rows = await Promise.all(
      TABLES.map((table) => market.owner<{ text: string }>(`select t::text as text from ${table} t order by 1`)),
    )
    return rows.flatMap((of) => of.map(({ text }) => text))
  }

  /** Makes a call again and again, cut one statement later each time, until it is answered whole. Returns the answer. */
  async function cutEverywhere<B>(method: string, path: string, options: CallOptions, wanted: number): Promise<B> {
    const before = await everything()
    for (let n = 1; n <= MOST_STATEMENTS; n += 1) {
      db.cutAfter(n)
      const { status, body } = await service.call<B>(method, path, options)
      if (db.seen() < n) {
        expect(status, JSON.stringify(body)).to.equal(wanted)
        expect(n, 'it was cut at all').to.be.greaterThan(1)
        expect(await everything()).to.not.deep.equal(before)
        return body
      }
      expect(status, `after statement ${n}`).to.be.oneOf([500, 503])
      expect(await everything(), `after statement ${n}`).to.deep.equal(before)
    }
    throw new Error('it makes more statements than that')
  }
  const post = <B>(path: string, as: string, json: object, wanted = 200) =>
    cutEverywhere<B>('POST', path, { as, json }, wanted)

  it('registering a key, signing with it, revoking it', async () => {
    const key = newKey()
    const as = market.tokens.acme
    const proof = base64(signWith(key, Buffer.from(proofText('acme', key.keyId))))
    await post('/orgs/keys', as, { public_key: key.pem, proof }, 201)
    const { id } = await post<Uploaded>('/wpk/upload', as, uploadOf(packageBytes({ name: 'by-new-key' }), key), 202)
    await market.statusBecomes(id, 'in_review')
    await cutEverywhere('DELETE', `/orgs/keys/${encodeURIComponent(key.keyId)}`, { as }, 204)
  }).timeout(60_000)

  it('a private package: upload, claim, hand-over, changes, resubmission, two approvals with an accepted finding', async () => {
    const { demo, reviewer, other } = market.tokens
    market.plant('all-hands', 0.9, [finding({ severity: 'critical' })])
    const upload = (version: string) =>
      post<Uploaded>(
        '/wpk/upload',
        demo,
        {
          ...uploadOf(packageBytes({ name: 'all-hands', mode: 'manual', version }), market.keys.demo),
          ...(version === '1.0.0' ? { visibility: 'private' } : {}),
        },
        202,
      )
    const first = await upload('1.0.0')
    await market.statusBecomes(first.id, 'in_review')
    await post(`/reviews/${first.id}/claim`, reviewer, {})
    await post(`/reviews/${first.id}/hand-over`, reviewer, { to: 'atom-reviewer-data' })
    const justification = 'Say what is sent.'
    await post(`/wpk/review/${first.id}`, other, { decision: 'request_changes', justification })
    const second = await upload('1.0.1')
    await market.statusBecomes(second.id, 'in_review')
    const expires_at = new Date(market.clock().getTime() + 86_400_000).toISOString()
    const accept = [{ fingerprint: 'f'.repeat(64), expires_at, owner: 'platform team', reason: 'their own collector' }]
    const approval = { decision: 'approve', justification, accept }
    await post(`/wpk/review/${second.id}`, reviewer, approval, 202)
    await post(`/wpk/review/${second.id}`, other, approval)
    await market.statusBecomes(second.id, 'published')
    await market.statusBecomes(first.id, 'rejected')
  }).timeout(120_000)
})
