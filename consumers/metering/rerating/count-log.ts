import { fromRecord } from '../../../platform/bus/binary-mode.ts'
import type { BusRecord } from '../../../platform/bus/bus.ts'
import { rows, type Tx } from '../../../platform/db.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import { usageReported } from '../../../schemas/events/usage.reported.ts'
import { currentEvent } from '../../../schemas/upcast.ts'
import { keepSingly } from '../add-usage.ts'
import { countRecords, type Report } from '../count-report.ts'
import type { Keyed } from '../keyed-record.ts'
import { firstReceived, RERATING_SCHEMA, type Rerating } from './rerating.ts'

/** As many as the largest report has: on a busy machine counted in less than half a second. */
const MOST_USAGE = 1_000

/** Records of the log in order, each with its report; null where nobody can read it, which is a dead letter. */
export type LogEntry = { record: BusRecord; report: Report | null }

/**
 * Reports among records of the log, so many that the transaction that counts them stays short: readers of the embedded
 * log wait for it. At least one record.
 */
export function readLog(records: readonly BusRecord[]): LogEntry[] {
  const entries: LogEntry[] = []
  let size = 0
  for (const record of records) {
    const report = reportOf(record)
    size += report?.data.records.length ?? 0
    if (entries.length > 0 && size > MOST_USAGE) break
    entries.push({ record, report })
  }
  return entries
}

function reportOf(record: BusRecord): Report | null {
  try {
    return record.headers.ce_type === usageReported.type
      ? (currentEvent(usageReported, fromRecord(record)) as Report)
      : null
  } catch {
    return null
  }
}

/**
 * Counts what entries of one partition of the log say of a month, with the code that counts live usage, into the tables
 * beside the live ones. Returns how many records of usage were new and of the month, and how many events were left out.
 */
export async function countLog(
  tx: Tx,
  rerating: Rerating,
  entries: readonly LogEntry[],
): Promise<{ records: number; leftOut: number }> {
  const given = await givenUp(
    tx,
    entries.map(({ record }) => record),
  )
  let records = 0
  let leftOut = 0
  for (const { record, report } of entries) {
    if (record.headers.ce_type !== usageReported.type) continue
    if (!report || given.has(record.position)) leftOut += 1
    else if (concerns(rerating, report)) records += await countOne(tx, rerating, report)
  }
  return { records, leftOut }
}

function concerns({ tenant, period, as_of }: Rerating, { data }: Report): boolean {
  const received = new Date(data.received_at)
  return (
    (tenant === null || data.tenant === tenant) &&
    received >= firstReceived(period) &&
    (as_of === null || received <= as_of)
  )
}

async function countOne(tx: Tx, { period, other_plan }: Rerating, report: Report): Promise<number> {
  const { tenant } = report.data
  const only = (fresh: Keyed[]) =>
    firstSeenHere(
      tx,
      tenant,
      fresh.filter(({ record }) => periodOf(new Date(record.time)) === period),
      firstReceived(period),
    )
  const plans = other_plan ? [other_plan.plan] : []
  const { fresh, kept } = await countRecords(tx, RERATING_SCHEMA, report, { only, plans })
  await keepSingly(tx, RERATING_SCHEMA, tenant, fresh, kept)
  return fresh.length
}

/** An id that counted before the part of the log that is read is a conflict in it, as it was when it came. */
async function firstSeenHere(tx: Tx, tenant: string, fresh: Keyed[], since: Date): Promise<Keyed[]> {
  if (fresh.length === 0) return fresh
  const before = await rows<{ key: string }>(
    tx,
    `select encode(record_key, 'hex') as key from metering.dedupe
     where tenant = ? and record_key = any(select decode(k, 'hex') from unnest(?::text[]) k) and first_seen < ?`,
    [tenant, fresh.map(({ key }) => key), since],
  )
  const known = new Set(before.map(({ key }) => key))
  return fresh.filter(({ key }) => !known.has(key))
}

/** Positions of events that a person gave up for metering: they are no part of what was to be counted. */
async function givenUp(tx: Tx, records: readonly BusRecord[]): Promise<Set<string>> {
  const [first] = records
  if (!first) return new Set()
  const found = await rows<{ position: string }>(
    tx,
    `select position from platform.dead_letter_decisions where consumer_group = 'metering' and topic = ?
       and partition = ? and decision = 'discarded' and position = any(?::text[])`,
    [first.topic, first.partition, records.map(({ position }) => position)],
  )
  return new Set(found.map(({ position }) => position))
}
