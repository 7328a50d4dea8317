import { createHash } from 'node:crypto'
import type { Static } from '@sinclair/typebox'
import type { UsageRecord } from '../../schemas/events/usage.reported.ts'

type Record_ = Static<typeof UsageRecord>
/** A record with its place in the report, the hash that identifies it and the hash of what it says. */
export type Keyed = { index: number; record: Record_; key: string; content: string }

/** The time counts as content: a retry that restamps it is a conflict. */
export function keyOf(record: Record_, index: number): Keyed {
  const content = JSON.stringify([
    record.meter,
    record.quantity,
    record.time,
    record.package ?? '',
    canonicalDimensions(record),
  ])
  return { index, record, key: hash(record.id, 16), content: hash(content, 8) }
}

export const packageName = (record: Pick<Record_, 'package'>): string => record.package?.split('@')[0] ?? ''
/** What stands after the name's `@`; '' where a record names no version. */
export const packageVersion = (record: Pick<Record_, 'package'>): string =>
  record.package?.split('@').slice(1).join('@') ?? ''

/** The first `bytes` of a SHA-256, in hex. */
export const hash = (text: string, bytes: number): string =>
  createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, bytes * 2)

const canonicalDimensions = (record: Record_) =>
  JSON.stringify(Object.fromEntries(Object.entries(record.dimensions ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))))
