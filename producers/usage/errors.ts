import { defineErrors } from '../../platform/errors.ts'

export const usageError = defineErrors({
  report_malformed: { status: 400, title: 'The report cannot be read' },
})

/** Codes of single records; a bad record never refuses the others, so these come inside a 202. */
export const recordCodes = {
  record_malformed: 'the record is not an object of the contract',
  id_invalid: 'an id has 1 to 128 printable ASCII characters without spaces',
  meter_invalid: 'a meter has 1 to 128 characters',
  quantity_invalid: 'a quantity is a decimal string, or a JSON integer up to 2^53-1',
  quantity_inexact: 'this JSON number cannot be read exactly; send the quantity as a decimal string',
  quantity_negative: 'a quantity is not negative; `"operation": "remove"` lowers the level of a time-weighted meter',
  quantity_too_large: 'a quantity has at most 18 digits before the point and 12 after it',
  time_invalid: 'a time is RFC 3339, such as 2026-11-02T10:00:00Z',
  too_old: 'a time is at most 95 days old',
  in_future: 'a time is at most 5 minutes ahead',
  package_invalid: 'a package is `name` or `name@version`',
  dimensions_invalid: 'dimensions are at most 16 short strings by name',
  operation_invalid: 'an operation is `add` or `remove`',
  not_subscribed: 'the tenant is not subscribed to this package, or to any, of the reporter',
  package_needed: 'the tenant uses several packages of the reporter: name the one this usage is of',
} as const
export type RecordCode = keyof typeof recordCodes
