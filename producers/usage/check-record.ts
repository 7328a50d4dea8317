import type { Static } from '@sinclair/typebox'
import { formatDecimal, tryDecimal } from '../../platform/decimal.ts'
import { pointerStep } from '../../platform/document-problem.ts'
import { parseUtcTime } from '../../platform/utc-time.ts'
import type { UsageRecord } from '../../schemas/events/usage.reported.ts'
import { type RecordCode, recordCodes } from './errors.ts'
import { INEXACT } from './report-body.ts'

export type CheckedRecord = Static<typeof UsageRecord>
export type RecordFault = { code: RecordCode; pointer: string; detail: string }
export type RecordResult = { record: CheckedRecord; tenant: string | undefined } | { fault: RecordFault; id?: string }

const MAX_AGE_MS = 95 * 86_400_000
const MAX_AHEAD_MS = 5 * 60_000
/** Headroom under numeric sums: a thousand million records of the largest quantity still fit a 30-digit decimal. */
const MAX_QUANTITY_DIGITS = 18
const MEMBERS = ['id', 'meter', 'quantity', 'time', 'package', 'dimensions', 'tenant', 'operation']
const ID = /^[\x21-\x7e]{1,128}$/
const PACKAGE = /^[a-z0-9][a-z0-9._-]{0,127}(@[0-9A-Za-z.+-]{1,128})?$/

/** One record as sent, checked and put into its canonical spelling; or the first thing wrong with it. */
export function checkRecord(value: unknown, now: Date): RecordResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { fault: fault('record_malformed', '') }
  const sent = value as Record<string, unknown>
  const { id } = sent
  if (typeof id !== 'string' || !ID.test(id)) return { fault: fault('id_invalid', '/id') }
  const wrong = (code: RecordCode, pointer: string): RecordResult => ({ fault: fault(code, pointer), id })
  const unknown = Object.keys(sent).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) return wrong('record_malformed', pointerStep(unknown))
  const { meter } = sent
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (typeof meter !== 'string' || meter.length > 128 || !/^[^\x00-\x1f\x7f\ud800-\udfff]+$/u.test(meter))
    return wrong('meter_invalid', '/meter')
  const quantity = canonicalQuantity(sent.quantity)
  if ('code' in quantity) return wrong(quantity.code, '/quantity')
  const time = typeof sent.time === 'string' ? parseUtcTime(sent.time) : null
  if (!time) return wrong('time_invalid', '/time')
  if (now.getTime() - time.getTime() > MAX_AGE_MS) return wrong('too_old', '/time')
  if (time.getTime() - now.getTime() > MAX_AHEAD_MS) return wrong('in_future', '/time')
  if (sent.package !== undefined && (typeof sent.package !== 'string' || !PACKAGE.test(sent.package)))
    return wrong('package_invalid', '/package')
  const badDimension = dimensionFault(sent.dimensions)
  if (badDimension !== null) return wrong('dimensions_invalid', badDimension)
  if (sent.operation !== undefined && sent.operation !== 'add' && sent.operation !== 'remove')
    return wrong('operation_invalid', '/operation')
  if (sent.tenant !== undefined && typeof sent.tenant !== 'string') return wrong('record_malformed', '/tenant')
  // A level that falls travels as a negative change; at the edge a sign alone is far too easily a mistake.
  const change = sent.operation === 'remove' && quantity.text !== '0' ? `-${quantity.text}` : quantity.text
  const record: CheckedRecord = { id, meter, quantity: change, time: time.toISOString() }
  if (sent.package !== undefined) record.package = sent.package as string
  if (sent.dimensions !== undefined) record.dimensions = sent.dimensions as Record<string, string>
  return { record, tenant: sent.tenant as string | undefined }
}

function canonicalQuantity(value: unknown): { text: string } | { code: RecordCode } {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) return { code: 'quantity_inexact' }
    return canonicalQuantity(String(value))
  }
  if (typeof value !== 'string') return { code: 'quantity_invalid' }
  if (value.startsWith(INEXACT))
    return { code: value.startsWith(`${INEXACT}-`) ? 'quantity_negative' : 'quantity_inexact' }
  const exact = tryDecimal(value)
  if (exact === null) return { code: /^-?\d+(\.\d+)?$/.test(value) ? 'quantity_too_large' : 'quantity_invalid' }
  if (exact < 0n) return { code: 'quantity_negative' }
  const text = formatDecimal(exact)
  if ((text.split('.')[0] as string).length > MAX_QUANTITY_DIGITS) return { code: 'quantity_too_large' }
  return { text }
}

function dimensionFault(value: unknown): string | null {
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return '/dimensions'
  const entries = Object.entries(value)
  if (entries.length > 16) return '/dimensions'
  for (const [name, text] of entries)
    if (
      !/^[A-Za-z][\w.-]{0,63}$/.test(name) ||
      typeof text !== 'string' ||
      text.length > 256 ||
      /[\0\ud800-\udfff]/u.test(text)
    )
      return `/dimensions${pointerStep(name)}`
  return null
}

const fault = (code: RecordCode, pointer: string): RecordFault => ({ code, pointer, detail: recordCodes[code] })
