import type { LogPlace } from '../../platform/bus/bus.ts'
import { execute, rows, type Tx } from '../../platform/db.ts'
import { fault } from '../../platform/fault.ts'
import { periodBounds, periodOf } from '../../platform/utc-time.ts'
import type { Envelope } from '../../schemas/envelope.ts'
import type { usageReported } from '../../schemas/events/usage.reported.ts'
import { addToRollups, keepSingly } from './add-usage.ts'
import { keptOf } from './kept-dimensions.ts'
import { type Keyed, keyOf, packageName } from './keyed-record.ts'
import { loadSubscriptions } from './load-subscriptions.ts'
import { markAfter, markStale } from './open-invoices.ts'
import { noteUsedVersions, quarantinedAmong } from './quarantine/used-versions.ts'
import { groupBy } from './rating/group-by.ts'
import type { KeptDimensions } from './rating/kept.ts'
import type { Plan } from './rating/plan.ts'
import { unpricedAmong as unpricedAmongUsage } from './rating/rate-period.ts'
import { storeReport } from './receipts/store-report.ts'

export type Report = Envelope<Parameters<typeof usageReported.create>[0]>
type Exception = { index: number; status: 'duplicate' | 'conflict' | 'late' | 'unpriced' | 'quarantined' }

/**
 * Counts a report: what (tenant, id) has not been seen is added to its hour, all else becomes an exception on the
 * receipt. Runs inside the transaction that moves the cursor, so a report counts exactly once. `at`: where it stands in
 * the log.
 */
export async function countReport(
  tx: Tx,
  report: Report,
  now: Date,
  at?: LogPlace,
): Promise<{ counted: number; exceptions: Exception[] }> {
  const { tenant, report_id } = report.data
  const { fresh, exceptions, kept } = await countRecords(tx, 'metering', report)
  await keepSingly(tx, 'metering', tenant, fresh, kept)
  fault('count.after-rollups')
  await noteUsedVersions(tx, tenant, fresh)
  const late = await markPeriods(tx, tenant, [...new Set(fresh.map(({ record }) => period(record)))].sort(), now)
  fault('count.after-marks')
  const quarantined = await quarantinedAmong(tx, fresh)
  exceptions.push(...[...quarantined.keys()].map((index) => ({ index, status: 'quarantined' as const })))
  const billed = fresh.filter(({ index }) => !quarantined.has(index))
  exceptions.push(
    ...billed.filter(({ record }) => late.has(period(record))).map(({ index }) => ({ index, status: 'late' as const })),
  )
  exceptions.push(...(await unpricedAmong(tx, tenant, billed, late, kept)))
  await storeReport(tx, report, { fresh, kept, now, at })
  fault('count.after-receipt')
  if (exceptions.length > 0)
    await execute(
      tx,
      `insert into metering.exceptions (tenant, report_id, record_index, status, quarantine)
       select ?, ?, i, s, q from unnest(?::int[], ?::text[], ?::uuid[]) as e (i, s, q) on conflict do nothing`,
      [
        tenant,
        report_id,
        exceptions.map(({ index }) => index),
        exceptions.map(({ status }) => status),
        exceptions.map(({ index, status }) => (status === 'quarantined' ? quarantined.get(index) : null)),
      ],
    )
  return { counted: fresh.length, exceptions }
}

type Counting = {
  /** Of the records that were new, those that are to be added; all of them unless said. */
  only?: (fresh: Keyed[]) => Promise<Keyed[]>
  /** Plans beside those of the tenant whose prices are to find what they need. */
  plans?: readonly Plan[]
}

/** Adds what (tenant, id) has not been seen to its hour, in the tables of a schema; says which records were new. */
export async function countRecords(
  tx: Tx,
  schema: string,
  report: Report,
  { only = async (fresh) => fresh, plans = [] }: Counting = {},
): Promise<{ fresh: Keyed[]; exceptions: Exception[]; kept: KeptDimensions }> {
  const { tenant, received_at, records, indexes } = report.data
  const keyed = records.map((record, place) => keyOf(record, indexes?.[place] ?? place))
  const deduped = await dedupe(tx, schema, tenant, received_at, keyed)
  const fresh = await only(deduped.fresh)
  fault('count.after-dedupe')
  const kept = await keptOf(tx, tenant, plans)
  await addToRollups(tx, schema, tenant, fresh, kept)
  return { fresh, exceptions: deduped.exceptions, kept }
}

async function dedupe(tx: Tx, schema: string, tenant: string, seen: string, keyed: Keyed[]) {
  const exceptions: Exception[] = []
  const first = new Map<string, Keyed>()
  for (const one of keyed) {
    const before = first.get(one.key)
    if (!before) first.set(one.key, one)
    else exceptions.push({ index: one.index, status: before.content === one.content ? 'duplicate' : 'conflict' })
  }
  // Sorted: two reports with the same ids then lock their rows in the same order.
  const distinct = [...first.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const inserted = await rows<{ key: string }>(
    tx,
    `insert into ${schema}.dedupe (tenant, record_key, content_key, first_seen)
     select ?, decode(k, 'hex'), decode(c, 'hex'), ? from unnest(?::text[], ?::text[]) as r (k, c)
     on conflict do nothing returning encode(record_key, 'hex') as key`,
    [tenant, seen, distinct.map(({ key }) => key), distinct.map(({ content }) => content)],
  )
  const isNew = new Set(inserted.map(({ key }) => key))
  const repeated = distinct.filter(({ key }) => !isNew.has(key))
  if (repeated.length === 0) return { fresh: distinct, exceptions }
  const known = await rows<{ key: string; content: string }>(
    tx,
    `select encode(record_key, 'hex') as key, encode(content_key, 'hex') as content from ${schema}.dedupe
     where tenant = ? and record_key = any(select decode(k, 'hex') from unnest(?::text[]) k)`,
    [tenant, repeated.map(({ key }) => key)],
  )
  const contentOf = new Map(known.map(({ key, content }) => [key, content]))
  for (const { index, key, content } of repeated)
    exceptions.push({ index, status: contentOf.get(key) === content ? 'duplicate' : 'conflict' })
  return { fresh: distinct.filter(({ key }) => isNew.has(key)), exceptions }
}

/**
 * Open months are to be rated again; issued ones never change: their usage is late, and the first open
 * month after them bills the difference. Returns the issued ones.
 */
export async function markPeriods(tx: Tx, tenant: string, periods: readonly string[], now: Date): Promise<Set<string>> {
  if (periods.length === 0) return new Set()
  const open = await markStale(tx, tenant, periods, { ifIssued: periodOf(now) })
  const late = periods.filter((one) => !open.includes(one))
  if (late.length === 0) return new Set()
  // All that bills what is late is held and there: holding again what was made since would be out of order.
  await markAfter(tx, tenant, late[0] as string)
  await execute(
    tx,
    'insert into metering.late_periods (tenant, period) select ?, p from unnest(?::text[]) p on conflict do nothing',
    [tenant, late],
  )
  return new Set(late)
}

/**
 * Whichever open month bills what is late is to be rated again. Before the late months are noted: an invoice that is
 * being issued holds its row, and takes the notes it has billed away with it. Holds all open months.
 */
export async function markBillingLate(tx: Tx, tenant: string, late: readonly string[], now: Date): Promise<void> {
  await markStale(tx, tenant, [periodOf(now)], { first: '' })
  const [earliest] = [...late].sort()
  if (earliest !== undefined) await markAfter(tx, tenant, earliest)
}

async function unpricedAmong(
  tx: Tx,
  tenant: string,
  fresh: readonly Keyed[],
  late: ReadonlySet<string>,
  kept: KeptDimensions,
): Promise<Exception[]> {
  const exceptions: Exception[] = []
  for (const [month, own] of groupBy(fresh, ({ record }) => period(record))) {
    if (late.has(month)) continue
    const { start, end } = periodBounds(month)
    const used = own.map(({ index, record }) => ({
      index,
      meter: record.meter,
      package: packageName(record),
      dimensions: kept.of(record.meter, record.dimensions ?? {}),
    }))
    const unpriced = unpricedAmongUsage(await loadSubscriptions(tx, tenant, start, end), used)
    exceptions.push(...unpriced.map(({ index }) => ({ index, status: 'unpriced' as const })))
  }
  return exceptions
}

const period = (record: Keyed['record']) => periodOf(new Date(record.time))
