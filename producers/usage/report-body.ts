import { type Call, jsonBody } from '../../platform/http/route.ts'
import { usageError } from './errors.ts'

export type SentRecord = { value: unknown; pointer: string }
const MAX_RECORDS = 1000
/** Stands before the text of a JSON number that may have been rounded. */
export const INEXACT = 'number '
export const MAX_REPORT_BYTES = 2_000_000

/** The records of a report body: one record, `{records: […]}`, or CloudEvents structured or batched. */
export function readRecords(call: Call): SentRecord[] {
  const type = call.contentType.split(';')[0]?.trim().toLowerCase()
  const body = jsonBody({ ...call, bytes: exactQuantities(call.bytes) }, { maxBytes: MAX_REPORT_BYTES, anyText: true })
  if (type === 'application/cloudevents-batch+json')
    return bounded(list(body, '').map((value, i) => fromCloudEvent(value, `/${i}`)))
  if (type === 'application/cloudevents+json') return [fromCloudEvent(body, '')]
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw usageError('report_malformed', 'send one record, or `{"records": [...]}`')
  if (!('records' in body)) return [{ value: body, pointer: '' }]
  if (Object.keys(body).length > 1) throw usageError('report_malformed', '`records` stands alone in a report')
  return bounded(list(body.records, '/records').map((value, i) => ({ value, pointer: `/records/${i}` })))
}

function list(value: unknown, pointer: string): unknown[] {
  if (Array.isArray(value)) return value
  throw usageError('report_malformed', `${pointer || 'the body'} must be a list`, {
    errors: [{ pointer, code: 'type', detail: 'must be a list' }],
  })
}

function bounded(records: SentRecord[]): SentRecord[] {
  if (records.length >= 1 && records.length <= MAX_RECORDS) return records
  throw usageError('report_malformed', `a report has 1 to ${MAX_RECORDS} records, this one ${records.length}`)
}

/** `data` is the record; the event's own id and time stand in where the record has none. */
function fromCloudEvent(value: unknown, pointer: string): SentRecord {
  if (typeof value !== 'object' || value === null || !('data' in value)) return { value: null, pointer }
  const { id, time, data } = value as Record<string, unknown>
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    return { value: null, pointer: `${pointer}/data` }
  return { value: { id, ...(time === undefined ? {} : { time }), ...data }, pointer: `${pointer}/data` }
}

/**
 * JSON.parse rounds numbers before anybody can look: 9007199254740990.9 arrives as a whole number. So a quantity that
 * is not plainly a whole number is put into quotes first, with a mark that no decimal has.
 */
function exactQuantities(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  const marked = text.replace(/("quantity"\s*:\s*)(-?[\d.][\d.eE+-]*)/g, (whole, name: string, number: string) =>
    /^(0|[1-9]\d{0,15})$/.test(number) ? whole : `${name}"${INEXACT}${number}"`,
  )
  return marked === text ? bytes : Buffer.from(marked, 'latin1')
}
