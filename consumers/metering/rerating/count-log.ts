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

/** The reports among records of the log; what cannot be read never counted, it is a dead letter. */
export function readLog(records: readonly BusRecord[]): { record: BusRecord; report: Report }[] {
  return records.flatMap((record) => {
    if (record.headers.ce_type !== usageReported.type) return []
    try {
      return [{ record, report: currentEvent(usageReported, fromRecord(record)) as Report }]
    } catch {
      return []
    }
  })
}

/**
 * Counts what records of one partition of the log say of a month, with the code that counts live usage, into the tables
 * beside the live ones. Returns how many records of usage were new and of the month, and how many events were left out.
 */
export async function countLog(
  tx: Tx,
  rerating: Rerating,
  records: readonly BusRecord[],
): Promise<{ records: number; leftOut: number }> {
  const given = await givenUp(tx, records)
  const readable = readLog(records).filter(({ record }) => !given.has(record.position))
  const usage = records.filter(({ headers }) => headers.ce_type === usageReported.type)
  let counted = 0
  for (const { report } of readable) if (concerns(rerating, report)) counted += await countOne(tx, rerating, report)
  return { records: counted, leftOut: usage.length - readable.length }
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
