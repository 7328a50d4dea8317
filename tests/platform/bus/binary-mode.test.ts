import { expect } from 'chai'
import fc from 'fast-check'
import { fromRecord, NotACloudEvent, toRecord } from '../../../platform/bus/binary-mode.ts'
import type { BusRecord } from '../../../platform/bus/bus.ts'
import type { Envelope } from '../../../schemas/envelope.ts'
import { topics } from '../../../schemas/topics.ts'
import { holds } from '../../support/property.ts'

const received = (event: Envelope): BusRecord => {
  const { topic, key, headers, value } = toRecord(event, topics.wpk)
  return { topic: topic.name, partition: 0, position: '1:1', next: '1:1', key, headers, value, recordedAt: new Date(0) }
}
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const event: fc.Arbitrary<Envelope> = fc.record(
  {
    specversion: fc.constant('1.0' as const),
    id: text,
    source: text,
    type: text,
    subject: text,
    time: fc.constant('2026-11-02T10:00:00.000Z'),
    datacontenttype: fc.constant('application/json' as const),
    dataschema: text,
    partitionkey: text,
    correlationid: text,
    causationid: text,
    traceparent: text,
    data: fc.jsonValue(),
  },
  {
    requiredKeys: [
      'specversion',
      'id',
      'source',
      'type',
      'time',
      'datacontenttype',
      'dataschema',
      'partitionkey',
      'correlationid',
      'data',
    ],
  },
)
const sample: Envelope = {
  specversion: '1.0',
  id: 'e-1',
  source: '//test',
  type: 'wpk.submitted',
  time: '2026-11-02T10:00:00.000Z',
  datacontenttype: 'application/json',
  dataschema: 'atom:wpk.submitted:1',
  partitionkey: 'restart-workers',
  correlationid: 'e-0',
  traceparent: '00-11111111111111111111111111111111-2222222222222222-01',
  data: { a: [1, null, 'ü'] },
}

describe('platform/bus/binary-mode', () => {
  it('carries every event there and back', () =>
    holds(
      fc.property(event, (sent) => {
        expect(fromRecord(received(sent))).to.deep.equal(JSON.parse(JSON.stringify(sent)))
      }),
    ))

  it('puts attributes into ce_ headers, the data into the value and the key where the log wants it', () => {
    const { key, headers, value } = toRecord(sample, topics.wpk)
    expect(key).to.equal('restart-workers')
    expect(headers).to.deep.equal({
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: 'e-1',
      ce_source: '//test',
      ce_type: 'wpk.submitted',
      ce_time: sample.time,
      ce_dataschema: 'atom:wpk.submitted:1',
      ce_partitionkey: 'restart-workers',
      ce_correlationid: 'e-0',
      ce_traceparent: sample.traceparent,
      traceparent: sample.traceparent,
    })
    expect(value.toString('utf8')).to.equal('{"a":[1,null,"ü"]}')
  })

  it('begins a journey at an event that names none', () => {
    const record = received(sample)
    delete record.headers.ce_correlationid
    expect(fromRecord(record).correlationid).to.equal('e-1')
  })

  for (const name of ['specversion', 'id', 'source', 'type', 'time', 'dataschema', 'partitionkey'])
    it(`refuses a record without ce_${name}, for good`, () => {
      const record = received(sample)
      delete record.headers[`ce_${name}`]
      expect(() => fromRecord(record))
        .to.throw(NotACloudEvent, `ce_${name}`)
        .with.property('retriable', false)
    })

  it('refuses another version of the specification', () => {
    const record = received(sample)
    record.headers.ce_specversion = '0.3'
    expect(() => fromRecord(record)).to.throw(NotACloudEvent, 'specversion')
  })

  const values: [string, Buffer][] = [
    ['no value', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['half an object', Buffer.from('{"a":')],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ]
  for (const [what, value] of values)
    it(`refuses ${what} as data`, () => {
      expect(() => fromRecord({ ...received(sample), value }))
        .to.throw(NotACloudEvent, 'not JSON')
        .with.property('code', 'event_malformed')
    })
})
