import { expect } from 'chai'
import { createMetrics } from '../../../platform/metrics.ts'
import { measureRevoked } from '../../../producers/marketplace/revoked-signers.ts'
import { proofText } from '../../../producers/marketplace/signing-keys.ts'
import { newKey, type SigningKey } from '../../support/organisations.ts'
import { packageBytes } from '../../support/packages.ts'
import { base64, signWith } from '../../support/signed-forms.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded, verdictOf } from './fixture.ts'

const HOUR_MS = 3_600_000
type Listed = { versions: { wpk: { id: string }; signer: { status: string } }[]; next: string | null }
type Shown = { status: string; signer: { status: string; counts: boolean } }

describe('producers/marketplace: public versions whose signer was revoked before it signed', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    await market.judging((_, digest) => verdictOf(digest))
  })
  after(() => market.close())

  const post = <B = Problem>(path: string, json: object, as = market.tokens.reviewer) =>
    market.call<B>('POST', path, { as, json })
  const list = async (query = '') =>
    (await market.call<Listed>('GET', `/registry/revoked-signers${query}`, { as: market.tokens.reviewer })).body
  const listed = async () => (await list()).versions.map(({ wpk }) => wpk.id)
  const show = async (id: string) => (await market.call<Shown>('GET', `/wpk/${id}`, { as: market.tokens.acme })).body
  const keep = (id: string, as = market.tokens.reviewer) =>
    post<{ kept_by: string; code: string }>(`/wpk/${id}/keep`, { reason: 'the bytes were read again' }, as)
  const measured = async () => {
    const metrics = createMetrics()
    await measureRevoked(market.database.as('atom_marketplace'), metrics)()
    return Number(/^atom_versions_signer_revoked (\d+)$/m.exec(await metrics.text())?.[1])
  }
  const decisions = async (id: string) =>
    (
      await market.database
        .as('atom_marketplace')
        .query<{ n: number }>(
          "select count(*)::int as n from marketplace.decisions where version_id = ? and decision = 'keep'",
          [id],
        )
    )[0]?.n

  async function registered(): Promise<SigningKey> {
    const key = newKey()
    const proof = base64(signWith(key, Buffer.from(proofText('demo', key.keyId))))
    expect((await post('/orgs/keys', { public_key: key.pem, proof }, market.tokens.demo)).status).to.equal(201)
    return key
  }
  async function published(name: string, key: SigningKey): Promise<string> {
    const bytes = packageBytes({ name })
    const json = { content: bytes.toString(), signature: base64(signWith(key, bytes)) }
    const { id } = (await post<Uploaded>('/wpk/upload', json, market.tokens.demo)).body
    await market.statusBecomes(id, 'in_review')
    await post(`/wpk/review/${id}`, { decision: 'approve', justification: 'fine' })
    await market.statusBecomes(id, 'published')
    return id
  }
  const revokeFrom = (key: SigningKey, ms: number) => {
    const from = new Date(market.clock().getTime() + ms).toISOString()
    const path = `/orgs/keys/${encodeURIComponent(key.keyId)}?from=${from}`
    return market.call('DELETE', path, { as: market.tokens.demo })
  }

  it('stay public, say so, and are listed until a person blocks or keeps them', async () => {
    const key = await registered()
    const early = await published('signed-early', key)
    market.clock.advance(HOUR_MS)
    const [late, later] = [await published('signed-late', key), await published('signed-later', key)]
    expect([await listed(), await measured()]).to.deep.equal([[], 0])
    await revokeFrom(key, -HOUR_MS / 2)
    expect([await listed(), await measured()]).to.deep.equal([[late, later], 2])
    const first = await list('?limit=1')
    expect([first.versions[0]?.wpk.id, first.versions[0]?.signer.status]).to.deep.equal([late, 'revoked'])
    const second = await list(`?limit=1&cursor=${first.next}`)
    expect([second.versions[0]?.wpk.id, second.next]).to.deep.equal([later, null])
    expect(await show(late)).to.deep.include({ status: 'published' })
    expect((await show(late)).signer).to.include({ status: 'revoked', counts: false })
    expect((await show(early)).signer).to.include({ status: 'valid', counts: true })

    expect((await post(`/wpk/${late}/block`, { reason: 'made by a thief' })).status).to.equal(200)
    expect(await listed()).to.deep.equal([later])
    const answers = await Promise.all([keep(later), keep(later), keep(later)])
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200])
    expect([await decisions(later), await listed(), await measured()]).to.deep.equal([1, [], 0])
    expect((await show(later)).status).to.equal('published')
  })

  it('are kept by a reviewer of another organisation only, and nothing else is', async () => {
    const fine = await published('never-revoked', market.keys.demo)
    expect((await keep(fine)).body.code).to.equal('move_refused')
    for (const as of [market.tokens.demo, market.tokens.acme, market.tokens.demoTenant])
      expect((await keep(fine, as)).status).to.equal(403)
    expect((await keep('0198c5a0-0000-7000-8000-000000000000')).status).to.equal(404)
    expect((await post(`/wpk/${fine}/keep`, {})).body).to.include({ code: 'body_malformed' })
    const others = await market.call('GET', '/registry/revoked-signers', { as: market.tokens.demo })
    expect(others.status).to.equal(403)
  })

  it('are recorded and signed when kept, like any decision', async () => {
    const key = await registered()
    market.clock.advance(HOUR_MS)
    const id = await published('kept-and-signed', key)
    await revokeFrom(key, -HOUR_MS / 2)
    await keep(id)
    await market.keepRecord()
    const { body } = await market.call<{ attestations: { bundle: { dsseEnvelope: { payload: string } } }[] }>(
      'GET',
      `/wpk/${id}/verdict`,
      { as: market.tokens.reviewer },
    )
    const last = body.attestations.at(-1)?.bundle.dsseEnvelope.payload ?? ''
    const { predicate } = JSON.parse(Buffer.from(last, 'base64').toString()) as { predicate: object }
    expect(predicate).to.include({
      decision: 'keep',
      approver_kind: 'person',
      justification: 'the bytes were read again',
    })
  })
})
