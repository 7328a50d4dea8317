import { setTimeout } from 'node:timers/promises'
import { Fenced } from '../../../platform/bus/attempts.ts'
import type { Bus } from '../../../platform/bus/bus.ts'
import { partitionOf } from '../../../platform/bus/partition.ts'
import { PositionInvalid } from '../../../platform/bus/position.ts'
import type { Clock } from '../../../platform/clock.ts'
import { type Db, execute, row, type Tx } from '../../../platform/db.ts'
import { messageOf } from '../../../platform/errors.ts'
import { fault } from '../../../platform/fault.ts'
import type { Log } from '../../../platform/log.ts'
import { runPeriodically } from '../../../platform/periodic.ts'
import type { ReplayRange } from '../../../platform/replay/replay.ts'
import { groupCursors, lettersOf } from '../../../platform/replay/rows.ts'
import { topics } from '../../../schemas/topics.ts'
import { compareTenant } from './compare-tenant.ts'
import { countLog } from './count-log.ts'
import { coversOf } from './covers.ts'
import { RERATING_SCHEMA, RERATING_TABLES, type Rerating } from './rerating.ts'
import { type Change, insertResult, moveOn, nextRerating } from './rerating-rows.ts'

export type ReratingDeps = { bus: Bus; allTenants: Db; log: Log; now: Clock }
type Options = ReratingDeps & { everyMs?: number; maxRecords?: number }

const GROUP = 'metering'
const EVERY_MS = 1_000
/** Reports of a thousand records are the largest: fifty of them fit the memory. */
const MAX_RECORDS = 50
/** What may be left to count in the transaction that compares. */
const CATCH_UP = 50
const ATTEMPTS = 5
const MOST_REST_MS = 1_000

/**
 * Works off what was asked for, one rerating at a time and in small steps beside live counting: each is one short
 * transaction with its progress, so that what a dead process began another goes on with. Rests as long as it worked.
 */
export function runReratings(options: Options): { stop(): Promise<void> } {
  const { everyMs = EVERY_MS, maxRecords = MAX_RECORDS, allTenants, log, now } = options
  const halt = new AbortController()
  const failures = new Map<string, number>()

  async function work(): Promise<void> {
    while (!halt.signal.aborted) {
      const rerating = await nextRerating(allTenants)
      if (!rerating) return
      const began = performance.now()
      if (!(await tried(rerating))) return
      const worked = Math.min(performance.now() - began, MOST_REST_MS)
      await setTimeout(worked, undefined, { ref: false, signal: halt.signal }).catch(() => {})
    }
  }

  /** False when it is to be tried again later. */
  async function tried(rerating: Rerating): Promise<boolean> {
    const { id } = rerating
    try {
      await reratingStep(options, rerating, maxRecords)
      failures.delete(id)
      return true
    } catch (error) {
      if (error instanceof Fenced) return false
      const failed = (failures.get(id) ?? 0) + 1
      failures.set(id, failed)
      log.warn('step of a rerating failed', { id, attempt: failed, error: messageOf(error) })
      if (failed < ATTEMPTS && !(error instanceof PositionInvalid)) return false
      failures.delete(id)
      const note = messageOf(error).toWellFormed().replaceAll('\0', '').slice(0, 1_000)
      const code = error instanceof PositionInvalid ? 'log_unreadable' : 'rerating_failed'
      await allTenants.transaction((tx) => end(tx, rerating, { state: 'failed', code, note, endedAt: now() }))
      return true
    }
  }

  const running = runPeriodically('replays of invoices', everyMs, work, log)
  return {
    stop() {
      halt.abort()
      return running.stop()
    },
  }
}

/** One step: begins, counts the next records of the log, compares the next tenant, or ends. Throws `Fenced`. */
export async function reratingStep(deps: ReratingDeps, rerating: Rerating, maxRecords = MAX_RECORDS): Promise<void> {
  if (rerating.state === 'queued') return begin(deps, rerating)
  const ends = await deps.allTenants.transaction((tx) => endsOf(tx, rerating))
  const behind = rerating.ranges.findIndex(({ at }, index) => at !== ends[index])
  if (behind !== -1) return countNext(deps, rerating, { behind, until: ends[behind] as string, maxRecords })
  return compareNext(deps, rerating)
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
    const change = { state: 'running', ranges, covers, expected_events, startedAt: now() } as const
    await settled(tx, rerating, change)
    await execute(tx, `select ${RERATING_SCHEMA}.make(?::text[])`, [[...RERATING_TABLES]])
  })
}

type Next = { behind: number; until: string; maxRecords: number }

async function countNext(deps: ReratingDeps, rerating: Rerating, { behind, until, maxRecords }: Next): Promise<void> {
  const range = rerating.ranges[behind] as ReplayRange
  const { partition, at: from } = range
  const records = await deps.bus.read({ topic: topics.usage, partition, from, until, maxRecords })
  await deps.allTenants.transaction(async (tx) => {
    const counted = await countLog(tx, rerating, records)
    const ranges = rerating.ranges.with(behind, { ...range, at: records.at(-1)?.next ?? until })
    const to = records.at(-1)?.recordedAt.toISOString() ?? null
    const covers = rerating.covers && to ? { covers: { ...rerating.covers, to: latest(rerating.covers.to, to) } } : {}
    await settled(tx, rerating, { ...counted, ...covers, ranges, events: records.length })
    fault('rerating.before-commit')
  })
  fault('rerating.after-commit')
}

/**
 * Compares the next tenant in one snapshot of what live counting has done: what it has counted since the last step is
 * counted here too, so that both sides have seen the same events.
 */
async function compareNext(deps: ReratingDeps, rerating: Rerating): Promise<void> {
  const { bus, allTenants, now } = deps
  const last = await allTenants.transaction(async (tx) => {
    await execute(tx, 'set transaction isolation level repeatable read')
    const ends = await endsOf(tx, rerating)
    const ranges = [...rerating.ranges]
    const caught = { events: 0, records: 0, leftOut: 0 }
    for (const [index, { topic, partition, at: from }] of rerating.ranges.entries()) {
      const until = ends[index] as string
      if (from === until) continue
      const records = await bus.read({ topic: topics.usage, partition, from, until, maxRecords: CATCH_UP })
      if (records.length === CATCH_UP) throw new Fenced('live counting went on: count first')
      const counted = await countLog(tx, rerating, records)
      ranges[index] = { topic, partition, at: until }
      caught.events += records.length
      caught.records += counted.records
      caught.leftOut += counted.leftOut
    }
    const tenant = await nextTenant(tx, rerating)
    if (tenant === null) return true
    const result = await compareTenant(tx, rerating, tenant, now())
    if (result) await insertResult(tx, rerating, result)
    await settled(tx, rerating, { ...caught, ranges, compared_to: tenant })
    fault('rerating.after-compare')
    return false
  })
  if (last) await finish(deps, rerating)
}

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
