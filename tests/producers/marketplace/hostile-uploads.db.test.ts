import { expect } from 'chai'
import { proofText } from '../../../producers/marketplace/signing-keys.ts'
import { newKey, type SigningKey } from '../../support/organisations.ts'
import { packageBytes, uploadOf } from '../../support/packages.ts'
import { base64, signWith } from '../../support/signed-forms.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded, verdictOf } from './fixture.ts'

const HOUR_MS = 3_600_000

describe('producers/marketplace: uploads that mean harm', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    await market.judging((_, digest) => verdictOf(digest))
  })
  after(() => market.close())

  const owner = () => market.database.as('postgres')
  const post = (json: object, as = market.tokens.demo) =>
    market.call<Uploaded & Problem>('POST', '/wpk/upload', { as, json })
  const review = (id: string, as = market.tokens.reviewer, decision = 'approve') =>
    market.call<Problem>('POST', `/wpk/review/${id}`, { as, json: { decision, justification: 'read whole' } })
  async function published(name: string, version = '1.0.0'): Promise<Uploaded> {
    const uploaded = await market.upload({ name, version })
    await market.statusBecomes(uploaded.id, 'in_review')
    await review(uploaded.id)
    await market.statusBecomes(uploaded.id, 'published')
    return uploaded
  }
  async function registered(): Promise<SigningKey> {
    const key = newKey()
    const proof = base64(signWith(key, Buffer.from(proofText('demo', key.keyId))))
    const json = { public_key: key.pem, proof }
    expect((await market.call('POST', '/orgs/keys', { as: market.tokens.demo, json })).status).to.equal(201)
    return key
  }
  const revoke = (key: SigningKey) =>
    market.call('DELETE', `/orgs/keys/${encodeURIComponent(key.keyId)}`, { as: market.tokens.demo })

  describe('bytes swapped between verification and storing', () => {
    it('are refused by the database, and nothing is left behind', async () => {
      const before = await market.stored()
      // Named to run last of all that runs before the insert.
      await owner().query(`create function platform.zz_swap() returns trigger language plpgsql as $$
        begin new.bytes := convert_to('{"swapped":true}', 'UTF8'); return new; end $$`)
      await owner().query(
        'create trigger zz_swap before insert on platform.artifacts for each row execute function platform.zz_swap()',
      )
      expect((await post(uploadOf(packageBytes({ name: 'swapped' }), market.keys.demo))).status).to.equal(500)
      await owner().query('drop trigger zz_swap on platform.artifacts')
      expect(await market.stored()).to.deep.equal(before)
      expect((await post(uploadOf(packageBytes({ name: 'swapped' }), market.keys.demo))).status).to.equal(202)
    })

    it('cannot be planted beforehand under the digest of a package to come', async () => {
      const bytes = packageBytes({ name: 'planted' })
      const digest = "'sha256:' || encode(sha256(?), 'hex')"
      const insert = `insert into platform.artifacts (org, digest, bytes, stored_at) values ('demo', ${digest}, ?, now())`
      const plant = owner().query(insert, [bytes, Buffer.from('{"planted":true}')])
      expect(await plant.catch((error: Error) => error.message)).to.contain('the bytes are not those of sha256:')
    })

    it('are not handed out when somebody changes them in the database later', async () => {
      const { id, digest } = await published('changed-later')
      await owner().query("update platform.artifacts set bytes = bytes || ' '::bytea where digest = ?", [digest])
      const { status, body } = await market.call<Problem>('GET', `/wpk/${id}/content`, { as: market.tokens.acme })
      expect([status, body.code]).to.deep.equal([500, 'internal'])
    })
  })

  describe('a signed version that is sent again', () => {
    it('by another organisation is not its own, before and after it is public', async () => {
      const bytes = packageBytes({ name: 'replayed-by-other' })
      const upload = uploadOf(bytes, market.keys.demo)
      const before = await market.stored()
      expect((await post(upload, market.tokens.acme)).body.code).to.equal('signer_not_registered')
      expect(await market.stored()).to.deep.equal(before)
      expect((await post(upload)).status).to.equal(202)
      expect((await post(upload, market.tokens.acme)).body.code).to.equal('signer_not_registered')
    })

    it('under a key revoked since is refused, and what it made before stands', async () => {
      const key = await registered()
      const upload = uploadOf(packageBytes({ name: 'replayed-revoked' }), key)
      const { id } = (await post(upload)).body
      await market.statusBecomes(id, 'in_review')
      market.clock.advance(HOUR_MS)
      await revoke(key)
      const before = await market.stored()
      expect((await post(upload)).body.code).to.equal('signer_not_registered')
      const older = uploadOf(packageBytes({ name: 'replayed-revoked', version: '0.9.0' }), key)
      expect((await post(older)).body.code, 'signed long ago, says who sends it').to.equal('signer_not_registered')
      expect(await market.stored()).to.deep.equal(before)
      expect((await review(id)).status, 'signed before the moment').to.equal(200)
    })

    it('does not bring back what was yanked or blocked', async () => {
      for (const [act, as, status] of [
        ['yank', market.tokens.demo, 'yanked'],
        ['block', market.tokens.reviewer, 'blocked'],
      ] as const) {
        const upload = uploadOf(packageBytes({ name: `replayed-${status}` }), market.keys.demo)
        const { id } = await published(`replayed-${status}`)
        await market.call('POST', `/wpk/${id}/${act}`, { as, json: { reason: 'it loses jobs' } })
        const again = await post(upload)
        expect([again.status, again.body.id, again.body.status]).to.deep.equal([200, id, status])
        expect(await market.statusBecomes(id, status)).to.not.equal(false)
      }
    })

    it('is a version of its own when it is older than what is public, and replaces nothing', async () => {
      const newer = await published('goes-back', '2.0.0')
      const older = await market.upload({ name: 'goes-back', version: '1.0.0' })
      await market.statusBecomes(older.id, 'in_review')
      expect(await market.statusBecomes(newer.id, 'published')).to.include({ version: '2.0.0', digest: newer.digest })
    })

    it('with its name or version changed is not signed', async () => {
      const signature = uploadOf(packageBytes({ name: 'renamed' }), market.keys.demo).signature
      for (const change of [{ name: 'renamed-too' }, { name: 'renamed', version: '1.0.1' }]) {
        const { body } = await post({ content: packageBytes(change).toString(), signature })
        expect(body.code).to.equal('signature_invalid')
      }
    })
  })

  describe('many at once', () => {
    it('of one upload, under two keys of the organisation, make one version and one event', async () => {
      const key = await registered()
      const bytes = packageBytes({ name: 'many-at-once' })
      const uploads = [uploadOf(bytes, key), uploadOf(bytes, market.keys.demo)]
      const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => post(uploads[n % 2] as object)))
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([...Array(19).fill(200), 202])
      expect(new Set(answers.map(({ body }) => body.id)).size).to.equal(1)
      const [found] = await owner().query<{ versions: number; events: number; artifacts: number }>(
        `select (select count(*)::int from marketplace.versions where name = 'many-at-once') as versions,
           (select count(*)::int from platform.artifacts where digest = ?) as artifacts,
           (select count(*)::int from platform.event_log
            where key = 'many-at-once' and headers->>'ce_type' = 'wpk.submitted') as events`,
        [answers[0]?.body.digest],
      )
      expect(found).to.deep.equal({ versions: 1, events: 1, artifacts: 1 })
    })

    it('of one version with other bytes each leave one of them whole', async () => {
      const uploads = Array.from({ length: 8 }, (_, n) =>
        uploadOf(packageBytes({ name: 'many-bytes', command: `echo ${n}` }), market.keys.demo),
      )
      const answers = await Promise.all(uploads.map((one) => post(one)))
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([202, ...Array(7).fill(409)])
      const stored = await owner().query(
        `select 1 from marketplace.versions v join platform.artifacts a on a.org = v.org and a.digest = v.digest
         where v.name = 'many-bytes'`,
      )
      expect(stored).to.have.length(1)
    })

    it('of two reviewers make one claim and one decision', async () => {
      const { id } = await market.upload({ name: 'two-reviewers' })
      await market.statusBecomes(id, 'in_review')
      const claims = [market.tokens.reviewer, market.tokens.other].map((as) =>
        market.call('POST', `/reviews/${id}/claim`, { as }),
      )
      expect((await Promise.all(claims)).map(({ status }) => status).sort()).to.deep.equal([200, 409])
      const decisions = await Promise.all(
        [market.tokens.reviewer, market.tokens.other].flatMap((as) => [review(id, as), review(id, as, 'reject')]),
      )
      expect(decisions.map(({ status }) => status).sort()).to.deep.equal([200, 409, 409, 409])
      expect(await owner().query('select 1 from marketplace.decisions where version_id = ?', [id])).to.have.length(1)
    })
  })
})
