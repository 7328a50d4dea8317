import { expect } from 'chai'
import { packageBytes, uploadOf } from '../../../support/packages.ts'
import { type Marketplace, openMarketplace, type Problem, type Uploaded } from '../fixture.ts'

describe('producers/marketplace/catalog: names', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
  })
  after(() => market.close())

  const send = (name: string, by: 'demo' | 'acme', more: object = {}, version = '1.0.0') =>
    market.call<Uploaded & Problem>('POST', '/wpk/upload', {
      as: market.tokens[by],
      json: { ...uploadOf(packageBytes({ name, version }), market.keys[by]), ...more },
    })
  const outcome = async (name: string, by: 'demo' | 'acme') => {
    const { status, body } = await send(name, by)
    return status === 202 ? 'taken' : body.code
  }
  const publish = (name: string) =>
    market.database
      .as('postgres')
      .query("update marketplace.versions set status = 'published', published_at = submitted_at where name = ?", [name])

  describe('that look like another organisation’s', () => {
    before(async () => {
      for (const name of ['restart-workers', 'modern-billing', 'abc', 'collector-1', 'ec2-0']) await send(name, 'demo')
    })

    for (const name of [
      'restart_workers',
      'restart.workers',
      'restartworkers',
      're-start-workers',
      'restart-w0rkers',
      'restart-worker',
      'restart-workerss',
      'restart-workres',
      'restart-morkers',
      'rnodern-billing',
      'modern-bi1ling',
      'modern-biliing',
      'co11ector-1',
      'col.lector-1',
    ])
      it(`are refused: ${name}`, async () => {
        const before = await market.stored()
        const { status, body } = await send(name, 'acme')
        expect([status, body.code]).to.deep.equal([409, 'name_too_similar'])
        expect(body.errors[0]?.pointer).to.equal('/metadata/name')
        expect(await market.stored()).to.deep.equal(before)
      })

    for (const name of [
      'restart-worker-pool',
      'restart-workers-v2',
      'abd',
      'ab',
      'ec2-1',
      'collector-2',
      'collector-10',
      'modern-building',
    ])
      it(`are taken when they only sound like it: ${name}`, async () => {
        expect(await outcome(name, 'acme')).to.equal('taken')
      })

    describe('by their words', () => {
      const KNOWN = [
        ...[
          'http-retry',
          'policy-check',
          'log-batch',
          'cache-warmer',
          'tasks',
          'logs',
          'mysql-to-postgres',
          'shard-1-2',
        ],
        ...['backup-1', 'cors-proxy', 'status-page', 'node-app-deploy', 'redis-sync', 'class-report', 'go-ci'],
      ]
      before(async () => {
        for (const name of KNOWN) expect(await outcome(name, 'demo'), name).to.equal('taken')
      })

      for (const [name, like] of [
        ['workers-restart', 'in another order'],
        ['retry-http', 'in another order'],
        ['retry_http', 'in another order, joined by another sign'],
        ['retryhttp', 'in another order, not joined at all'],
        ['retries.http', 'in another order, in the plural'],
        ['http-retries', 'in the plural'],
        ['httpretries', 'in the plural, not joined at all'],
        ['policies-checks', 'each in the plural'],
        ['logs-batches', 'each in the plural'],
        ['caches-warmers', 'each in the plural'],
        ['task', 'a short one in the singular'],
        ['deploy-app-node', 'of three'],
        ['app-node-deploys', 'of three, in the plural'],
        ['page-status', 'of which one ends as a plural does'],
        ['1-backup', 'with its number in front'],
        ['rep0rts-class', 'with a digit for a letter'],
      ])
        it(`are refused: ${name} (the same words, ${like})`, async () => {
          expect(await outcome(name as string, 'acme')).to.equal('name_too_similar')
        })

      for (const [name, why] of [
        ['postgres-to-mysql', 'the other direction'],
        ['shard-2-1', 'another of a series'],
        ['backup-2', 'another of a series'],
        ['http-retry-queue', 'a word more'],
        ['retry-grpc', 'another word'],
        ['core-page-proxy', 'other words'],
        ['state-page', 'another word'],
        ['redistribution-sync', 'another word'],
        ['ci-go', 'too short to tell'],
        ['policy-checking', 'another form of a word'],
        ['grass-report', 'another word'],
        ['log', 'too short to tell'],
      ])
        it(`are taken: ${name} (${why})`, async () => {
          expect(await outcome(name as string, 'acme')).to.equal('taken')
        })
    })

    it('are an organisation’s own to choose', async () => {
      expect(await outcome('restart-worker', 'demo')).to.equal('taken')
      expect(await outcome('restart_workers', 'demo')).to.equal('taken')
    })

    it('are named only when everybody may know of them', async () => {
      await send('widely-known', 'demo')
      await send('hardly-known', 'demo', { visibility: 'private' })
      const detail = async (name: string) => (await send(name, 'acme')).body.detail
      expect(await detail('widely-knovvn')).to.not.contain('widely-known')
      await publish('widely-known')
      await publish('hardly-known')
      expect(await detail('widely-knovvn')).to.contain('widely-known')
      expect(await detail('hardly-knovvn')).to.not.contain('hardly-known')
    })

    it('are taken once when two organisations ask at once', async () => {
      const asked = await Promise.all([outcome('race-to-name', 'demo'), outcome('race-to-narne', 'acme')])
      expect(asked.sort()).to.deep.equal(['name_too_similar', 'taken'])
    })

    it('are taken once a reviewer has allowed it, and by that organisation only', async () => {
      const allow = (as: string, json: object) =>
        market.call<Problem>('POST', '/wpk/names/restart-workerz/allow', { as, json })
      const body = { org: 'acme', reason: 'It is the name of their product.' }
      expect((await allow(market.tokens.acme, body)).status).to.equal(403)
      expect((await allow(market.tokens.reviewer, { ...body, reason: ' ' })).status).to.equal(400)
      expect((await allow(market.tokens.reviewer, { ...body, org: 'nobody' })).status).to.equal(404)
      expect(await outcome('restart-workerz', 'acme')).to.equal('name_too_similar')
      expect((await allow(market.tokens.reviewer, body)).status).to.equal(200)
      expect((await allow(market.tokens.reviewer, body)).status).to.equal(200)
      expect(await outcome('restart-workerz', 'acme')).to.equal('taken')
      const kept = await market.database
        .as('postgres')
        .query("select reason, allowed_by from marketplace.name_allowances where name = 'restart-workerz'")
      expect(kept).to.deep.equal([{ reason: body.reason, allowed_by: 'atom-reviewer@atom' }])
    })
  })

  describe('of private packages', () => {
    let id: string
    before(async () => {
      id = (await send('in-house', 'demo', { visibility: 'private' })).body.id
      await publish('in-house')
    })
    const seen = async (as: string) => {
      const paths = [`/wpk/${id}`, `/wpk/${id}/content`, `/wpk/${id}/bundle`, `/wpk/${id}/downloads`]
      const asked = paths.map((path) => market.call('GET', path, { as }).then(({ status }) => status === 200))
      const named = market.call('GET', '/wpk/resolve?name=in-house', { as }).then(({ status }) => status === 200)
      const lists = ['?q=in-house', '?publisher=demo'].map((query) =>
        market.call('GET', `/wpk/list${query}`, { as }).then(({ bytes }) => bytes.includes('"in-house"')),
      )
      const answers = new Set(await Promise.all([...asked, named, ...lists]))
      expect(answers.size, 'all calls agree').to.equal(1)
      return answers.has(true)
    }
    const readers = (method: string, path = '', json?: object, as = market.tokens.demo) =>
      market.call<Problem & { readers: { reader: string }[] }>(method, `/wpk/names/in-house/readers${path}`, {
        as,
        ...(json ? { json } : {}),
      })

    it('hide what is published from everybody but their organisation and the operator', async () => {
      expect(await seen(market.tokens.demo)).to.equal(true)
      expect(await seen(market.tokens.reviewer)).to.equal(true)
      expect(await seen(market.tokens.acme)).to.equal(false)
    })

    it('hold in the database, whatever a query asks', async () => {
      const rows = (org: string) =>
        market.database.as('atom_app').transaction(
          async (tx) =>
            (
              await tx.raw(
                `select 1 from marketplace.versions v where v.name = 'in-house'
                 union all select 1 from platform.artifacts a where a.org = 'demo'
                   and a.digest = (select digest from marketplace.versions where name = 'in-house')
                 union all select 1 from marketplace.names n where n.name = 'in-house'`,
              )
            ).rows.length as number,
          { scope: { org, operator: false } },
        )
      expect([await rows('demo'), await rows('acme'), await rows('(public)')]).to.deep.equal([3, 0, 0])
    })

    it('open to the readers that their organisation names, until it ends that', async () => {
      const reader = { reader: 'acme' }
      expect((await readers('POST', '', reader)).status).to.equal(200)
      expect((await readers('POST', '', reader)).status).to.equal(200)
      expect((await readers('GET')).body.readers.map((one) => one.reader)).to.deep.equal(['acme'])
      expect(await seen(market.tokens.acme)).to.equal(true)
      expect((await readers('DELETE', '/acme')).status).to.equal(204)
      expect((await readers('DELETE', '/acme')).status).to.equal(204)
      expect(await seen(market.tokens.acme)).to.equal(false)
      expect((await readers('POST', '', { reader: 'nobody' })).status).to.equal(404)
    })

    it('are their organisation’s alone to change', async () => {
      for (const [path, json] of [
        ['visibility', { visibility: 'public' }],
        ['readers', { reader: 'acme' }],
      ] as const) {
        const answer = await market.call('POST', `/wpk/names/in-house/${path}`, { as: market.tokens.acme, json })
        expect(answer.status).to.equal(404)
      }
      expect((await readers('GET', '', undefined, market.tokens.acme)).status).to.equal(404)
      expect((await readers('GET', '', undefined, market.tokens.demoTenant)).status).to.equal(403)
    })

    it('become public and private again with all their versions, those to come included', async () => {
      const set = (visibility: string) =>
        market.call('POST', '/wpk/names/in-house/visibility', { as: market.tokens.demo, json: { visibility } })
      expect((await set('public')).status).to.equal(200)
      expect((await set('public')).status).to.equal(200)
      expect(await seen(market.tokens.acme)).to.equal(true)
      expect((await set('private')).status).to.equal(200)
      const [, { body }] = await Promise.all([set('public'), send('in-house', 'demo', {}, '2.0.0')])
      await set('private')
      await publish('in-house')
      expect((await market.call('GET', `/wpk/${body.id}`, { as: market.tokens.acme })).status).to.equal(404)
      expect((await set('secret')).status).to.equal(400)
    })

    it('are told of once for each change, after the version that a private name began with', async () => {
      await send('told-of', 'demo', { visibility: 'private' })
      const set = (visibility: string) =>
        market.call('POST', '/wpk/names/told-of/visibility', { as: market.tokens.demo, json: { visibility } })
      await Promise.all([set('public'), set('public'), set('public')])
      await send('told-of', 'demo', {}, '2.0.0')
      const told = await market.database
        .as('postgres')
        .query<{ type: string; value: Buffer }>(
          "select headers->>'ce_type' as type, value from platform.event_log where key = 'told-of' order by xid, pos",
        )
      const said = told.map(({ type, value }) => [type, JSON.parse(value.toString()).visibility])
      expect(said).to.deep.equal([
        ['wpk.submitted', undefined],
        ['wpk_visibility.changed', 'private'],
        ['wpk_visibility.changed', 'public'],
        ['wpk.submitted', undefined],
      ])
    })

    it('are not made anything else by a later upload', async () => {
      const { status, body } = await send('in-house', 'demo', { visibility: 'public' }, '3.0.0')
      expect([status, body.code]).to.deep.equal([409, 'visibility_differs'])
      expect((await send('in-house', 'demo', { visibility: 'private' }, '3.0.0')).status).to.equal(202)
      expect((await send('in-house', 'demo', { visibility: 'public' }, '3.0.0')).status, 'the same again').to.equal(200)
    })
  })
})
