import { expect } from 'chai'
import { merkleRoot } from '../../../platform/merkle.ts'
import { type Answer, type Billing, openBilling, type Problem, perUnit } from '../../consumers/metering/fixture.ts'

const record = (id: string, more: object = {}) => ({
  id,
  meter: 'runs',
  quantity: '1',
  time: '2026-11-10T09:00:00Z',
  ...more,
})

describe('producers/usage: reports', () => {
  let billing: Billing
  before(async () => {
    billing = await openBilling()
    await billing.sell('restart-workers', perUnit('0.50'), ['acme'])
  })
  after(() => billing.close())

  const send = (json: unknown, as = billing.tokens.acme, type?: string) =>
    billing.call<Answer & Problem>(
      'POST',
      '/usage/report',
      type === undefined ? { as, json } : { as, type, body: JSON.stringify(json) },
    )
  const logged = () =>
    billing.owner<{ key: string; value: Buffer }>(
      "select key, value from platform.event_log where topic = 'atom.usage' order by xid, pos",
    )
  const lastEvent = async () =>
    JSON.parse(((await logged()).at(-1) as { value: Buffer }).value.toString()) as {
      tenant: string
      reporter: string
      records: object[]
      root: string
      report_id: string
    }

  it('is durable before it is answered, and carries records in one spelling', async () => {
    const { status, body } = await send(
      record('one', { quantity: '01.50', package: 'restart-workers@1.0.0', dimensions: { region: 'eu' } }),
    )
    expect([status, body.accepted, body.rejected]).to.deep.equal([202, 1, []])
    const event = await lastEvent()
    expect(event).to.deep.include({ tenant: 'acme', reporter: 'acme', report_id: body.report_id })
    const kept = {
      id: 'one',
      meter: 'runs',
      quantity: '1.5',
      time: '2026-11-10T09:00:00.000Z',
      package: 'restart-workers@1.0.0',
      dimensions: { region: 'eu' },
    }
    expect(event.records).to.deep.equal([kept])
    expect(body.receipt).to.deep.equal({ root: merkleRoot([Buffer.from(JSON.stringify(kept))]), count: 1 })
  })

  it('never refuses a record because of another', async () => {
    const records = [
      record('a'),
      record('b', { quantity: 'x' }),
      null,
      record('c'),
      record('d', { time: '2020-01-01T00:00:00Z' }),
      { ...record('e'), extra: 1 },
    ]
    const { status, body } = await send({ records })
    expect([status, body.accepted]).to.deep.equal([202, 2])
    expect(body.rejected.map(({ index, id, code, pointer }) => [index, id, code, pointer])).to.deep.equal([
      [1, 'b', 'quantity_invalid', '/records/1/quantity'],
      [2, undefined, 'record_malformed', '/records/2'],
      [4, 'd', 'too_old', '/records/4/time'],
      [5, 'e', 'record_malformed', '/records/5/extra'],
    ])
    expect(body.receipt.count).to.equal(2)
  })

  it('is 202 even when every record is refused, and then leaves nothing', async () => {
    const before = (await logged()).length
    const { status, body } = await send({ records: [record('x', { quantity: -1 })] })
    expect([status, body.accepted, body.rejected[0]?.code]).to.deep.equal([202, 0, 'quantity_negative'])
    expect((await logged()).length).to.equal(before)
  })

  it('takes 1,000 records at once', async () => {
    const { body } = await send({ records: Array.from({ length: 1000 }, (_, n) => record(`bulk-${n}`)) })
    expect(body).to.include({ accepted: 1000 })
  })

  const malformed: [string, unknown, string][] = [
    ['no records', { records: [] }, 'report_malformed'],
    ['1,001 records', { records: Array.from({ length: 1001 }, (_, n) => record(`many-${n}`)) }, 'report_malformed'],
    ['records that are no list', { records: {} }, 'report_malformed'],
    ['records beside something else', { records: [record('a')], tenant: 'acme' }, 'report_malformed'],
    ['a list', [record('a')], 'report_malformed'],
    ['a text', 'usage', 'report_malformed'],
  ]
  for (const [what, json, code] of malformed)
    it(`refuses a report of ${what}`, async () => {
      const { status, body } = await send(json)
      expect([status, body.code]).to.deep.equal([400, code])
    })

  it('refuses another media type and a body that is no JSON', async () => {
    const post = (type: string, body: string) =>
      billing.call<Problem>('POST', '/usage/report', { as: billing.tokens.acme, type, body })
    expect((await post('text/csv', 'id,meter')).body.code).to.equal('unsupported_media_type')
    expect((await post('application/json', '{"records":')).body.code).to.equal('body_malformed')
    expect((await post('application/json', `{"records":["${'x'.repeat(2_000_000)}"]}`)).body.code).to.equal(
      'body_too_large',
    )
  })

  describe('CloudEvents', () => {
    const event = (id: string, data: unknown, more: object = {}) => ({
      specversion: '1.0',
      type: 'usage',
      source: '/runner',
      id,
      time: '2026-11-10T09:30:00Z',
      data,
      ...more,
    })

    it('stand for a record each, whose id and time are the event’s unless it has its own', async () => {
      const single = await send(
        event('ce-1', { meter: 'runs', quantity: '2' }),
        billing.tokens.acme,
        'application/cloudevents+json',
      )
      expect(single.body).to.include({ accepted: 1 })
      expect((await lastEvent()).records).to.deep.equal([
        { id: 'ce-1', meter: 'runs', quantity: '2', time: '2026-11-10T09:30:00.000Z' },
      ])
      const own = { id: 'own', time: '2026-11-10T08:00:00Z', meter: 'runs', quantity: '2' }
      await send(
        [event('ce-2', own), event('ce-3', { meter: 'runs', quantity: '3' })],
        billing.tokens.acme,
        'application/cloudevents-batch+json; charset=utf-8',
      )
      expect((await lastEvent()).records.map((one) => (one as { id: string }).id)).to.deep.equal(['own', 'ce-3'])
    })

    it('that carry no record are refused one by one, at their place', async () => {
      const batch = [
        event('ce-4', 'text'),
        { id: 'ce-5' },
        event('ce-6', { meter: 'runs', quantity: 'x' }),
        event('ce-7', { meter: 'runs', quantity: '1' }),
      ]
      const { body } = await send(batch, billing.tokens.acme, 'application/cloudevents-batch+json')
      expect(body.accepted).to.equal(1)
      expect(body.rejected.map(({ index, code, pointer }) => [index, code, pointer])).to.deep.equal([
        [0, 'record_malformed', '/0/data'],
        [1, 'record_malformed', '/1'],
        [2, 'quantity_invalid', '/2/data/quantity'],
      ])
    })

    it('come in batches as lists only, of at most 1,000', async () => {
      const type = 'application/cloudevents-batch+json'
      for (const body of [event('x', {}), [], Array.from({ length: 1001 }, (_, n) => event(`m${n}`, {}))])
        expect((await send(body, billing.tokens.acme, type)).body.code).to.equal('report_malformed')
    })
  })

  describe('for another tenant', () => {
    it('count where the tenant is subscribed to a package of the reporter', async () => {
      const { body } = await send(
        { records: [record('p-1', { tenant: 'acme' }), record('p-2', { tenant: 'globex' }), record('p-3')] },
        billing.tokens.demo,
      )
      expect(body.accepted).to.equal(2)
      expect(body.rejected.map(({ index, id, code, pointer }) => [index, id, code, pointer])).to.deep.equal([
        [1, 'p-2', 'not_subscribed', '/records/1/tenant'],
      ])
      const events = (await logged())
        .slice(-2)
        .map(({ key, value }) => [key, (JSON.parse(value.toString()) as { reporter: string }).reporter])
      expect(events).to.have.deep.members([
        ['acme', 'demo'],
        ['demo', 'demo'],
      ])
    })

    it('count for the packages of the reporter only, named where there are several', async () => {
      const records = [
        record('q-1', { tenant: 'acme', package: 'restart-workers@1.0.0' }),
        record('q-2', { tenant: 'acme', package: 'somebody-elses' }),
      ]
      const { body } = await send({ records }, billing.tokens.demo)
      expect([body.accepted, body.rejected[0]?.code, body.rejected[0]?.pointer]).to.deep.equal([
        1,
        'not_subscribed',
        '/records/1/package',
      ])
      await send(record('q-3', { tenant: 'acme' }), billing.tokens.demo)
      expect((await lastEvent()).records[0], 'the one package in use is meant').to.include({
        package: 'restart-workers',
      })
      await billing.sell('second-package', perUnit('1'), ['acme'])
      const unclear = await send({ records: [record('q-4', { tenant: 'acme' })] }, billing.tokens.demo)
      expect(unclear.body.rejected[0]).to.include({ code: 'package_needed', pointer: '/records/0/package' })
    })

    it('never count for the tenant’s own word about a third one', async () => {
      const { body } = await send({ records: [record('t-1', { tenant: 'globex' })] })
      expect(body.rejected[0]?.code).to.equal('not_subscribed')
    })

    it('are refused record by record for a tenant that cannot be', async () => {
      const tenants = ['', 'no such', '../acme', 'a\0b', '\ud800', 'x'.repeat(300)]
      const { status, body } = await send(
        { records: [record('n-0'), ...tenants.map((tenant, n) => record(`n-${n + 1}`, { tenant }))] },
        billing.tokens.demo,
      )
      expect(status, JSON.stringify(body)).to.equal(202)
      expect(body.accepted).to.equal(1)
      expect(body.rejected.map(({ code }) => code)).to.deep.equal(tenants.map(() => 'not_subscribed'))
    })
  })

  it('needs a caller who may report', async () => {
    expect((await send(record('x'), await billing.organisations.apiKey('acme', 'report'))).status).to.equal(202)
    for (const as of [
      await billing.organisations.apiKey('acme', 'publish', 'read'),
      billing.tokens.finance,
      billing.tokens.admin,
    ])
      expect((await send(record('x'), as)).body.code).to.equal('forbidden')
    expect((await billing.call<Problem>('POST', '/usage/report', { json: record('x') })).body.code).to.equal(
      'credential_missing',
    )
  })
})
