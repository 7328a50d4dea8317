import type { Bus, BusRecord } from '../../platform/bus/bus.ts'
import { identityOf, seenBefore } from '../../platform/bus/effects.ts'
import type { Handler } from '../../platform/bus/runner.ts'
import type { Db } from '../../platform/db.ts'
import type { ReplayRange } from '../../platform/replay/replay.ts'
import { isForgotten } from '../../platform/replay/replay-batch.ts'
import type { Topic } from '../../schemas/topics.ts'

type TypeCount = { topic: string; type: string; handled: boolean; events: number; already_applied: number }
/** What a replay would read and touch. `types` count what was looked at, which is all of it when `complete`. */
export type Plan = {
  events: number
  complete: boolean
  types: TypeCount[]
  first_recorded_at: Date | null
  last_recorded_at: Date | null
  handlers: { name: string; on: string; emits: string[]; writes: string[] }[]
  tables: string[]
  emits: string[]
  warnings: string[]
  /** Why it would be refused, or null. */
  refused: string | null
}
/** What was counted, with how much of it the inbox may have forgotten. */
export type Counted = Pick<Plan, 'events' | 'complete' | 'types' | 'first_recorded_at' | 'last_recorded_at'> & {
  forgotten: number
}
type Deps = { bus: Bus; db: Db; now: Date }

/** Some seconds of reading; a longer range is counted in full and told apart by type in part. */
const MOST_READ = 100_000
const AT_ONCE = 500

/** Counts the events of some ranges by topic and type, and how many of them the group has applied already. */
export async function countRanges(
  { bus, db, now }: Deps,
  group: string,
  handlers: readonly Handler[],
  ranges: readonly Required<ReplayRange>[],
): Promise<Counted> {
  const topics = new Map(handlers.map(({ on }) => [on.topic.name, on.topic]))
  const handled = new Set(handlers.map(({ on }) => on.type))
  const types = new Map<string, TypeCount>()
  const counted: Counted = {
    events: 0,
    complete: true,
    types: [],
    first_recorded_at: null,
    last_recorded_at: null,
    forgotten: 0,
  }
  let left = MOST_READ
  for (const { topic: name, partition, at, until } of ranges) {
    const topic = topics.get(name) as Topic
    counted.events += await bus.count({ topic, partition, from: at, until })
    for (let from = at; from !== until; ) {
      if (left <= 0) {
        counted.complete = false
        break
      }
      const records = await bus.read({ topic, partition, from, until, maxRecords: Math.min(AT_ONCE, left) })
      left -= records.length
      from = records.at(-1)?.next ?? until
      for (const { record, seen } of await told(db, group, records)) note(record, seen)
    }
  }

  function note({ topic, headers, recordedAt }: BusRecord, seen: boolean): void {
    const type = headers.ce_type ?? 'unknown'
    const key = `${topic}/${type}`
    const count = types.get(key) ?? { topic, type, handled: handled.has(type), events: 0, already_applied: 0 }
    count.events += 1
    count.already_applied += seen ? 1 : 0
    types.set(key, count)
    if (handled.has(type) && !seen && isForgotten(headers.ce_time ?? '', now)) counted.forgotten += 1
    const { first_recorded_at: first, last_recorded_at: last } = counted
    counted.first_recorded_at = first === null || recordedAt < first ? recordedAt : first
    counted.last_recorded_at = last === null || recordedAt > last ? recordedAt : last
  }

  counted.types = [...types.values()].sort((a, b) => (`${a.topic}/${a.type}` < `${b.topic}/${b.type}` ? -1 : 1))
  return counted
}

async function told(db: Db, group: string, records: readonly BusRecord[]) {
  const seen = await seenBefore(db, group, records.map(identityOf))
  return records.map((record, index) => ({ record, seen: seen[index] ?? false }))
}

/** What the handlers of the types found would do. */
export function sideEffects(handlers: readonly Handler[]): Pick<Plan, 'handlers' | 'tables' | 'emits'> {
  const told = handlers.map(({ name, on, emits, writes = [] }) => ({
    name,
    on: on.type,
    emits: emits.map(({ type }) => type),
    writes: [...writes],
  }))
  return {
    handlers: told,
    tables: [...new Set(told.flatMap(({ writes }) => writes))].sort(),
    emits: [...new Set(told.flatMap(({ emits }) => emits))].sort(),
  }
}
