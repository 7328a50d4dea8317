import { expect } from 'chai'
import { bundleOf, packageBytes, signatureOf, uploadOf } from '../../support/packages.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded } from './fixture.ts'

describe('producers/marketplace: uploads', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
  })
  after(() => market.close())

  const post = (json: unknown, as = market.tokens.demo) =>
    market.call<Problem & Uploaded>('POST', '/wpk/upload', { as, json })
  const signed = (bytes: Buffer, more: object = {}) => ({ ...uploadOf(bytes, market.keys.demo), ...more })

  it('answers with what the caller needs next, and publishes one event with the caller’s trace', async () => {
    const bytes = packageBytes({ name: 'answered', version: '1.2.3', tags: ['a'], description: 'Does things.' })
    const { status, body } = await post(signed(bytes))
    expect(status).to.equal(202)
    expect(body).to.deep.include({
      name: 'answered',
      version: '1.2.3',
      status: 'submitted',
      expected_decision_at: '2026-11-03T10:00:00.000Z',
    })
    expect(body.status_url).to.equal(`http://market.test/wpk/${body.id}`)
    const events = await market.database
      .as('postgres')
      .query<{ key: string; headers: Record<string, string>; value: Buffer }>(
        "select key, headers, value from platform.event_log where key = 'answered'",
      )
    expect(events).to.have.length(1)
    expect(events[0]?.headers)
      .to.include({ ce_type: 'wpk.submitted', ce_subject: 'answered' })
      .and.have.property('traceparent')
    expect(JSON.parse((events[0] as { value: Buffer }).value.toString())).to.include({
      id: body.id,
      org: 'demo',
      digest: body.digest,
      key_id: market.keys.demo.keyId,
    })
  })

  it('gives back the exact bytes with their digest as ETag', async () => {
    const bytes = Buffer.concat([packageBytes({ name: 'exact' }), Buffer.from('\r\n  \n')])
    const { body } = await post(signed(bytes))
    const content = await market.call('GET', `/wpk/${body.id}/content`, { as: market.tokens.demo })
    expect(content.bytes.equals(bytes)).to.equal(true)
    expect(content.headers.get('etag')).to.equal(`"${body.digest}"`)
    expect(content.headers.get('content-type')).to.contain('application/json')
  })

  it('answers the same bytes again with 200 and the same id, and changes nothing', async () => {
    const upload = signed(packageBytes({ name: 'again' }))
    const first = await post(upload)
    const before = await market.stored()
    const second = await post(upload)
    expect([first.status, second.status]).to.deep.equal([202, 200])
    expect(second.body).to.deep.equal(first.body)
    const bundled = packageBytes({ name: 'again' })
    expect(
      (await post({ content: bundled.toString('utf8'), bundle: bundleOf(bundled, market.keys.demo) })).status,
    ).to.equal(200)
    expect(await market.stored()).to.deep.equal(before)
  })

  it('refuses other bytes under a version that exists', async () => {
    await market.upload({ name: 'taken-version' })
    const before = await market.stored()
    const { status, body } = await post(signed(packageBytes({ name: 'taken-version', command: 'echo other' })))
    expect([status, body.code]).to.deep.equal([409, 'version_exists'])
    expect(await market.stored()).to.deep.equal(before)
  })

  it('gives a name to its first publisher for good', async () => {
    await market.upload({ name: 'first-come' })
    const before = await market.stored()
    const bytes = packageBytes({ name: 'first-come', version: '9.0.0' })
    const { status, body } = await post(uploadOf(bytes, market.keys.acme), market.tokens.acme)
    expect([status, body.code]).to.deep.equal([403, 'name_taken'])
    expect(await market.stored()).to.deep.equal(before)
    await market.upload({ name: 'first-come', version: '9.0.0' })
  })

  it('makes one version of 20 uploads at once', async () => {
    await market.upload({ name: 'at-once', version: '0.9.0' })
    const upload = signed(packageBytes({ name: 'at-once' }))
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(upload)))
    expect(answers.filter(({ status }) => status === 202)).to.have.length(1)
    expect(answers.filter(({ status }) => status === 200)).to.have.length(19)
    expect(new Set(answers.map(({ body }) => body.id)).size).to.equal(1)
    const [{ events } = {}] = await market.database
      .as('postgres')
      .query<{ events: number }>("select count(*)::int as events from platform.event_log where key = 'at-once'")
    expect(events, 'one for each of the two versions').to.equal(2)
  })

  it('gives a name to one of two organisations that ask at once', async () => {
    const bytes = packageBytes({ name: 'contested' })
    const asked = [post(signed(bytes)), post(uploadOf(bytes, market.keys.acme), market.tokens.acme)]
    expect((await Promise.all(asked)).map(({ status }) => status).sort()).to.deep.equal([202, 403])
  })

  it('takes a name and a version as long as the format allows', async () => {
    const version = `1.0.0-${'a'.repeat(122)}`
    expect(await market.upload({ name: 'n'.repeat(128), version })).to.include({ version })
  })

  it('takes an API key that may publish, and no other caller', async () => {
    const publish = await market.organisations.apiKey('demo', 'publish')
    expect((await post(signed(packageBytes({ name: 'by-key' })), publish)).status).to.equal(202)
    for (const as of [
      await market.organisations.apiKey('demo', 'report', 'read'),
      market.tokens.demoTenant,
      market.tokens.reviewer,
    ])
      expect((await post(signed(packageBytes({ name: 'by-key' })), as)).body.code).to.equal('forbidden')
  })

  describe('multipart', () => {
    const form = (parts: Record<string, string | Buffer>) => {
      const body = new FormData()
      for (const [name, part] of Object.entries(parts))
        if (typeof part === 'string') body.set(name, part)
        else body.set(name, new Blob([new Uint8Array(part)]), 'file')
      return market.call<Problem & Uploaded>('POST', '/wpk/upload', { as: market.tokens.demo, body })
    }

    it('takes the file beside a signature or a bundle, byte by byte', async () => {
      const bytes = Buffer.from(
        `# ü\r\napiVersion: v1\r\nkind: WorkflowPackage\r\nmetadata: {name: in-parts, version: 1.0.0}\r\nspec: {handlers: [{name: a, type: shell}]}\r\n`,
      )
      const first = await form({ wpk: bytes, signature: Buffer.from(`${signatureOf(bytes, market.keys.demo)}\n`) })
      expect([first.status, first.body.code]).to.deep.equal([202, undefined])
      const second = await form({ wpk: bytes, bundle: Buffer.from(JSON.stringify(bundleOf(bytes, market.keys.demo))) })
      expect([second.status, second.body.id]).to.deep.equal([200, first.body.id])
      const content = await market.call('GET', `/wpk/${first.body.id}/content`, { as: market.tokens.demo })
      expect(content.bytes.equals(bytes)).to.equal(true)
      expect(content.headers.get('content-type')).to.contain('yaml')
    })

    it('refuses a form without the file, without a signature, or that cannot be read', async () => {
      const bytes = packageBytes({ name: 'half-form' })
      expect((await form({ signature: signatureOf(bytes, market.keys.demo) })).body.code).to.equal('body_malformed')
      expect((await form({ wpk: bytes })).body.code).to.equal('signature_missing')
      expect((await form({ wpk: bytes, bundle: '{' })).body.code).to.equal('bundle_malformed')
      expect((await form({ wpk: bytes, bundle: 'x'.repeat(64_001) })).body.code).to.equal('bundle_too_large')
      const junk = await market.call<Problem>('POST', '/wpk/upload', {
        as: market.tokens.demo,
        body: 'junk',
        type: 'multipart/form-data; boundary=x',
      })
      expect([junk.status, junk.body.code]).to.deep.equal([400, 'body_malformed'])
    })
  })

  describe('refuses within 50 ms, storing nothing:', () => {
    const wpk = (text: string) => () => signed(Buffer.from(text))
    const deep = `{"apiVersion":${'['.repeat(40)}1${']'.repeat(40)}}`
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\n${'bcdefghi'
      .split('')
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)
      .join('\n')}\n`
    const refused: [string, () => unknown, number, string, (string | undefined)?, string?][] = [
      ['a body that is no JSON', () => undefined, 400, 'body_malformed'],
      [
        'an unknown member',
        () => ({ ...signed(packageBytes()), force: true }),
        400,
        'body_malformed',
        '/force',
        'unknown_member',
      ],
      ['no content', () => ({ signature: 'x' }), 400, 'body_malformed', '', 'required'],
      [
        'content that is no base64',
        () => ({ content: 'a b', content_encoding: 'base64' }),
        400,
        'content_malformed',
        '/content',
        'not_base64',
      ],
      ['no YAML', wpk('a: [1\n b'), 400, 'wpk_malformed', '', 'document_syntax'],
      ['half a JSON document', wpk('{"apiVersion": "v1"'), 400, 'wpk_malformed', '', 'document_syntax'],
      ['nothing', wpk(' '), 400, 'wpk_malformed', '', 'document_not_object'],
      ['a list', wpk('[1]'), 400, 'wpk_malformed', '', 'document_not_object'],
      [
        'another kind',
        wpk('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","version":"1.0.0"},"spec":{"handlers":[]}}'),
        400,
        'wpk_malformed',
        '/kind',
        'schema_enum',
      ],
      [
        'a version that is no semantic version',
        wpk('apiVersion: v1\nkind: WorkflowPackage\nmetadata: {name: a, version: one}\nspec: {handlers: []}'),
        400,
        'wpk_malformed',
        '/metadata/version',
        'schema_pattern',
      ],
      [
        'a handler of an unknown type',
        wpk(
          '{"apiVersion":"v1","kind":"WorkflowPackage","metadata":{"name":"a","version":"1.0.0"},"spec":{"handlers":[{"name":"x","type":"lambda"}]}}',
        ),
        400,
        'wpk_malformed',
        '/spec/handlers/0/type',
        'schema_enum',
      ],
      [
        'too many bytes',
        () => signed(packageBytes({ name: 'big', description: 'x'.repeat(1_000_001) })),
        413,
        'wpk_too_large',
      ],
      ['too deep a document', wpk(deep), 400, 'wpk_malformed', undefined, 'document_too_deep'],
      ['an alias bomb', wpk(bomb), 400, 'wpk_malformed', undefined, 'document_too_many_aliases'],
      [
        'a key __proto__',
        wpk('{"apiVersion":"v1","metadata":{"__proto__":{"admin":true}}}'),
        400,
        'wpk_malformed',
        undefined,
        'document_forbidden_key',
      ],
      ['invalid UTF-8', () => signed(Buffer.from([0x7b, 0xff, 0x7d])), 400, 'wpk_malformed', '', 'document_not_utf8'],
      [
        'a description with a zero character',
        () => signed(packageBytes({ name: 'nul', description: 'a\0b' })),
        400,
        'wpk_malformed',
      ],
      [
        'a tag with a zero character',
        () => signed(packageBytes({ name: 'nul', tags: ['a\0b'] })),
        400,
        'wpk_malformed',
      ],
    ]
    const half = () =>
      market.call<Problem>('POST', '/wpk/upload', {
        as: market.tokens.demo,
        body: '{"content":',
        type: 'application/json',
      })
    for (const [what, make, status, code, pointer, inner] of refused)
      it(what, async () => {
        const before = await market.stored()
        const json = make()
        const once = async () => {
          const begun = performance.now()
          const reply = await (json === undefined ? half() : post(json))
          const took = performance.now() - begun
          expect([reply.status, reply.body.code], reply.body.detail).to.deep.equal([status, code])
          expect(reply.headers.get('content-type')).to.contain('application/problem+json')
          if (pointer !== undefined) expect(reply.body.errors[0]?.pointer).to.equal(pointer)
          if (inner !== undefined) expect(reply.body.errors[0]?.code).to.equal(inner)
          return took
        }
        // A busy machine slows one series; a slow refusal slows all of them.
        const medians: number[] = []
        while (medians.length < 6 && !medians.some((ms) => ms < 50)) {
          const times: number[] = []
          for (let round = 0; round < 5; round++) times.push(await once())
          medians.push(times.sort((a, b) => a - b)[2] as number)
        }
        expect(Math.min(...medians), 'median ms').to.be.lessThan(50)
        expect(await market.stored()).to.deep.equal(before)
      })

    it('a body over every limit', async () => {
      const { status, body } = await post({ content: 'x'.repeat(2_500_001), signature: 'x' })
      expect([status, body.code]).to.deep.equal([413, 'body_too_large'])
    })
  })
})
