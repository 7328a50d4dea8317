import type { Envelope } from '../../schemas/envelope.ts'
import type { Topic } from '../../schemas/topics.ts'
import type { BusRecord, OutgoingRecord } from './bus.ts'

const ATTRIBUTES = [
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'dataschema',
  'partitionkey',
  'correlationid',
  'causationid',
] as const

export class NotACloudEvent extends Error {
  readonly code = 'event_malformed'
  readonly retriable = false
}

/** CloudEvents binary mode of the Kafka protocol binding: attributes as `ce_` headers, the value is the data. */
export function toRecord(event: Envelope, topic: Topic): OutgoingRecord {
  const headers: Record<string, string> = { 'content-type': event.datacontenttype }
  for (const name of ATTRIBUTES) {
    const value = event[name]
    if (value !== undefined) headers[`ce_${name}`] = value
  }
  // The hop's own trace context travels in the protocol's header, the origin's in the attribute.
  if (event.traceparent) {
    headers.traceparent = event.traceparent
    headers.ce_traceparent = event.traceparent
  }
  return { topic, key: event.partitionkey, headers, value: Buffer.from(JSON.stringify(event.data)) }
}

/** The event a record carries. Throws `NotACloudEvent` (not retriable) for anything else. */
export function fromRecord(record: BusRecord): Envelope {
  const attribute = (name: string): string => {
    const value = record.headers[`ce_${name}`]
    if (value === undefined) throw new NotACloudEvent(`header ce_${name} is missing`)
    return value
  }
  if (attribute('specversion') !== '1.0') throw new NotACloudEvent('header ce_specversion is not 1.0')
  const optional = (name: 'subject' | 'causationid' | 'traceparent') => {
    const value = record.headers[`ce_${name}`]
    return value === undefined ? {} : { [name]: value }
  }
  const id = attribute('id')
  return {
    specversion: '1.0',
    id,
    source: attribute('source'),
    type: attribute('type'),
    time: attribute('time'),
    datacontenttype: 'application/json',
    dataschema: attribute('dataschema'),
    partitionkey: attribute('partitionkey'),
    correlationid: record.headers.ce_correlationid ?? id,
    ...optional('subject'),
    ...optional('causationid'),
    ...optional('traceparent'),
    data: parse(record.value),
  }
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value))
  } catch (cause) {
    throw new NotACloudEvent(`the value is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}
