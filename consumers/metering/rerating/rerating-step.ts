import { Fenced } from '../../../platform/bus/attempts.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import { partitionOf } from '../../../platform/bus/partition.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, row, sqlState, type Tx } from '../../../platform/db.ts'
import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import type { Log } from '../../../platform/log.ts'
import type { ReplayRange } from '../../../platform/replay/replay.ts'
import { groupCursors, lettersOf } from '../../../platform/replay/rows.ts'
import { periodOf } from '../../../platform/utc-time.ts'
import { topics } from '../../../schemas/topics.ts'
import type { Report } from '../count-report.ts'
import { currencyOf } from '../load-subscriptions.ts'
import { compareTenant } from './compare-tenant.ts'
import { countLog, type LogEntry, readLog } from './count-log.ts'
import { coversOf } from './covers.ts'
import { RERATING_SCHEMA, RERATING_TABLES, type Rerating } from './rerating.ts'
import { type Change, holdStep, insertFailure, insertResult, moveOn } from './rerating-rows.ts'

export type ReratingDeps = { bus: Bus; allTenants: Db; log: Log; now: Clock }

const GROUP = 'metering'
/** What was read in a repeatable read was changed before it was written. */
export const CHANGED_MEANWHILE = '40001'
/** Reports of a thousand records are the largest: fifty of them fit the memory. */
const MAX_RECORDS = 50
/** What may be left to count in the transaction that compares. */
const CATCH_UP = 50

/** A tenant of many cannot be rated: that is its own failure, and the others are compared. */
export class TenantFailed extends Error {
  readonly tenant: string
  constructor(tenant: string, cause: unknown) {
    super(messageOf(cause), { cause })
    this.tenant = tenant
  }
}

/**
 * One step: begins, counts the next records of the log, compares the next tenant, or ends. Returns how many records to
 * read at the next one: large reports are read few at a time, small ones up to fifty. Throws `Fenced`.
 */
export async function reratingStep(deps: ReratingDeps, rerating: Rerating, maxRecords = MAX_RECORDS): Promise<number> {
  if (rerating.state === 'queued') {
    await begin(deps, rerating)
    return maxRecords
  }
  const ends = await deps.allTenants.transaction((tx) => endsOf(tx, rerating))
  const behind = rerating.ranges.findIndex(({ at }, index) => at !== ends[index])
  if (behind !== -1) return countNext(deps, rerating, { behind, until: ends[behind] as string, maxRecords })
  await compareNext(deps, rerating)
  return maxRecords
}

/** Events of a tenant are in one partition; a rerating of all reads every one. */
async function begin({ bus, allTenants, now }: ReratingDeps, rerating: Rerating): Promise<void> {
  const { tenant, period } = rerating
  const { name: topic, partitions } = topics.usage
  const wanted = tenant === null ? null : partitionOf(tenant, partitions)
  const bounds = await bus.bounds(topics.usage, { kind: 'earliest' })
  const ranges = bounds
    .filter(({ partition }) => wanted === null || partition === wanted)
    .map(({ partition, at }): ReplayRange => ({ topic, partition, at }))
  const covers = await coversOf(bus, ranges, period, now())
  const ends = await allTenants.transaction((tx) => endsOf(tx, { ranges }))
  let expected_events = 0
  for (const [index, { partition, at }] of ranges.entries())
    expected_events += await bus.count({ topic: topics.usage, partition, from: at, until: ends[index] as string })
  await allTenants.transaction(async (tx) => {
    await hold(tx, rerating)
    const change = { state: 'running', ranges, covers, expected_events, startedAt: now() } as const
    await settled(tx, rerating, change)
    await execute(tx, `select ${RERATING_SCHEMA}.make(?::text[])`, [[...RERATING_TABLES]])
  })
}

type Next = { behind: number; until: string; maxRecords: number }

async function countNext(deps: ReratingDeps, rerating: Rerating, { behind, until, maxRecords }: Next): Promise<number> {
  const range = rerating.ranges[behind] as ReplayRange
  const { partition, at: from } = range
  const records = await deps.bus.read({ topic: topics.usage, partition, from, until, maxRecords })
  const entries = readLog(records)
  const last = entries.at(-1)?.record
  await deps.allTenants.transaction(async (tx) => {
    await hold(tx, rerating)
    const counted = await countLog(tx, rerating, entries)
    const ranges = rerating.ranges.with(behind, { ...range, at: last?.next ?? until })
    const to = last?.recordedAt.toISOString() ?? null
    const covers = rerating.covers && to ? { covers: { ...rerating.covers, to: latest(rerating.covers.to, to) } } : {}
    await settled(tx, rerating, { ...counted, ...covers, ranges, events: entries.length })
    fault('rerating.before-commit')
  })
  fault('rerating.after-commit')
  return Math.min(MAX_RECORDS, Math.max(1, 2 * entries.length))
}

/**
 * Compares the next tenant in one snapshot of what live counting has done. What it has counted since the last step is
 * seldom of that tenant's month: then nothing is written while the tenant is rated. Else it is counted here too, so that
 * both sides have seen the same events.
 */
async function compareNext(deps: ReratingDeps, rerating: Rerating): Promise<void> {
  const { allTenants, now } = deps
  const looked = await inSnapshot(allTenants, async (tx) => {
    const tenant = await nextTenant(tx, rerating)
    if (tenant === null) return { tenant }
    const missing = await missed(deps, tx, rerating)
    if (missing.some(({ entries }) => entries.some(({ report }) => report && isOf(report, tenant, rerating.period))))
      return { tenant, counts: true as const }
    return { tenant, result: await compared(tx, rerating, tenant, now()) }
  })
  const { tenant } = looked
  if (tenant === null) return finish(deps, rerating)
  if ('counts' in looked) return compareAfter(deps, rerating, tenant)
  await allTenants.transaction(async (tx) => {
    await hold(tx, rerating)
    if (looked.result) await insertResult(tx, rerating, looked.result)
    await settled(tx, rerating, { compared_to: tenant })
    fault('rerating.after-compare')
  })
}

/** The same with what is missing counted first, in one transaction. */
function compareAfter(deps: ReratingDeps, rerating: Rerating, tenant: string): Promise<void> {
  return inSnapshot(deps.allTenants, async (tx) => {
    await hold(tx, rerating)
    const ranges = [...rerating.ranges]
    const sum = { events: 0, records: 0, leftOut: 0 }
    for (const { index, range, entries } of await missed(deps, tx, rerating)) {
      const counted = await countLog(tx, rerating, entries)
      ranges[index] = range
      sum.events += entries.length
      sum.records += counted.records
      sum.leftOut += counted.leftOut
    }
    const result = await compared(tx, rerating, tenant, deps.now())
    if (result) await insertResult(tx, rerating, result)
    await settled(tx, rerating, { ...sum, ranges, compared_to: tenant })
  })
}

const compared = (tx: Tx, rerating: Rerating, tenant: string, at: Date) =>
  compareTenant(tx, rerating, tenant, at).catch((error: unknown) => {
    throw rerating.tenant === null && sqlState(error) !== CHANGED_MEANWHILE ? new TenantFailed(tenant, error) : error
  })

/** Goes on behind a tenant that could not be compared. */
export const passOver = (db: Db, rerating: Rerating, tenant: string, detail: string): Promise<void> =>
  db.transaction(async (tx) => {
    await hold(tx, rerating)
    await insertFailure(tx, rerating, tenant, await currencyOf(tx, tenant), detail)
    await settled(tx, rerating, { compared_to: tenant })
  })

const inSnapshot = <T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> =>
  db.transaction(async (tx) => {
    await execute(tx, 'set transaction isolation level repeatable read')
    return work(tx)
  })

type Missed = { index: number; range: ReplayRange; entries: LogEntry[] }

/** What live counting is ahead by. Throws `Fenced` when that is too much for one transaction: it is counted first. */
async function missed({ bus }: ReratingDeps, tx: Tx, rerating: Rerating): Promise<Missed[]> {
  const found: Missed[] = []
  for (const [index, until] of (await endsOf(tx, rerating)).entries()) {
    const { topic, partition, at: from } = rerating.ranges[index] as ReplayRange
    if (from === until) continue
    const records = await bus.read({ topic: topics.usage, partition, from, until, maxRecords: CATCH_UP })
    const entries = readLog(records)
    if (records.length === CATCH_UP || entries.length < records.length) throw new Fenced('live counting went on')
    found.push({ index, range: { topic, partition, at: until }, entries })
  }
  return found
}

const isOf = ({ data }: Report, tenant: string, period: string): boolean =>
  data.tenant === tenant && data.records.some(({ time }) => periodOf(new Date(time)) === period)

async function finish({ bus, allTenants, now }: ReratingDeps, rerating: Rerating): Promise<void> {
  const latestOf = await bus.bounds(topics.usage, { kind: 'latest' })
  let events = 0
  for (const { partition, at: from } of rerating.ranges) {
    const until = latestOf.find((one) => one.partition === partition)?.at
    if (until !== undefined) events += await bus.count({ topic: topics.usage, partition, from, until })
  }
  // Retention may have come by meanwhile.
  const { complete } = await coversOf(bus, rerating.ranges, rerating.period, now())
  const covers = rerating.covers && { ...rerating.covers, complete: rerating.covers.complete && complete }
  await allTenants.transaction(async (tx) => {
    const dead_letters = await lettersOf(tx, GROUP, [topics.usage.name])
    const change = { state: 'done', covers, not_counted: { events, dead_letters }, endedAt: now() } as const
    await end(tx, rerating, change)
    fault('rerating.before-end')
  })
}

/** Ends a rerating, with the tables that were its own. */
export async function end(tx: Tx, rerating: Rerating, change: Change): Promise<void> {
  await settled(tx, rerating, change)
  if (rerating.state === 'running')
    await execute(tx, `select ${RERATING_SCHEMA}.discard(?::text[])`, [[...RERATING_TABLES]])
}

async function hold(tx: Tx, rerating: Rerating): Promise<void> {
  if (!(await holdStep(tx, rerating))) throw new Fenced(`rerating ${rerating.id} is at work elsewhere`)
}

async function settled(tx: Tx, rerating: Rerating, change: Change): Promise<void> {
  if (!(await moveOn(tx, rerating, change))) throw new Fenced(`rerating ${rerating.id} went on without this`)
}

/** Where live counting stands in each range; one it has not begun to read holds nothing yet. */
async function endsOf(tx: Tx, { ranges }: Pick<Rerating, 'ranges'>): Promise<string[]> {
  const cursors = await groupCursors(tx, GROUP, [topics.usage.name])
  return ranges.map(({ partition, at }) => cursors.find((one) => one.partition === partition)?.at ?? at)
}

/** The next tenant by name that has an invoice of the month or usage of it in the log. */
async function nextTenant(tx: Tx, { tenant, period, compared_to }: Rerating): Promise<string | null> {
  if (tenant !== null) return compared_to === null ? tenant : null
  const after = compared_to ?? ''
  const found = await row<{ tenant: string | null }>(
    tx,
    `select least((select min(tenant) from metering.invoices where period = ? and tenant > ?),
       (select min(tenant) from ${RERATING_SCHEMA}.rollups where tenant > ?)) as tenant`,
    [period, after, after],
  )
  return found?.tenant ?? null
}

const latest = (a: string | null, b: string): string => (a !== null && a > b ? a : b)
