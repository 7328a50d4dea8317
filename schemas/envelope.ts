import { type Static, type TSchema, Type } from '@sinclair/typebox'

/** The CloudEvents 1.0 attributes we use, around `data`. Identity of an event is (source, id). */
export type Envelope<D = unknown> = {
  specversion: '1.0'
  id: string
  source: string
  type: string
  subject?: string
  time: string
  datacontenttype: 'application/json'
  /** `atom:<type>:<version>`: the schema version has its own place, so that `type` stays a plain name. */
  dataschema: string
  partitionkey: string
  /** The journey: copied unchanged from the event that began it. */
  correlationid: string
  /** The id of the event that led to this one; absent on the first. */
  causationid?: string
  /** W3C trace context of the act that made the event. */
  traceparent?: string
  data: D
}

/** RFC 3339 in UTC with a `Z`: an offset would move usage between days. */
export const UtcTime = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?Z$' })
/** Decimal text; up to 60 digits before and 12 after the point. Never a float. */
export const DecimalText = Type.String({ pattern: '^-?\\d{1,60}(\\.\\d{1,12})?$' })
export const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })
export const OrgId = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' })
/** UUIDv7 unless said: ids sort by time, so indexes stay hot. */
export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })
export const Period = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])$' })

/** An object that refuses unknown members: what is not in the contract does not travel. */
export const closed = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false })

/**
 * Words that a person can read: at least one letter or digit, so neither spaces nor characters without a look. The four
 * that are left out count as letters and show nothing (Hangul fillers).
 */
export const saidText = (maxLength: number) =>
  Type.String({
    description: 'text with a letter or digit',
    minLength: 1,
    maxLength,
    pattern: '(?![\\u115f\\u1160\\u3164\\uffa0])[\\p{L}\\p{N}]',
  })

export type { Static }
