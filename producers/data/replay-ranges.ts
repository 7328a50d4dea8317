import type { Bus } from '../../platform/bus/bus.ts'
import { type Position, PositionInvalid } from '../../platform/bus/position.ts'
import type { Db } from '../../platform/db.ts'
import { httpError } from '../../platform/http/errors.ts'
import type { ReplayRange } from '../../platform/replay/replay.ts'
import type { Topic } from '../../schemas/topics.ts'
import { dataError } from './errors.ts'

type Cursors = (topic: string, partition: number) => string | undefined

/** Where a group stands in each partition; undefined where it has not read anything yet. */
export async function cursorsOf(db: Db, group: string): Promise<Cursors> {
  const found = await db.query<{ topic: string; partition: number; position: string }>(
    'select topic, partition, position from platform.cursors where consumer_group = ?',
    [group],
  )
  return (topic, partition) => found.find((one) => one.topic === topic && one.partition === partition)?.position
}

/** The range of each partition between two positions, as far as the group has read: what lies ahead comes by itself. */
export async function rangesBetween(
  bus: Bus,
  topics: readonly Topic[],
  span: { from: Position; to: Position },
  cursorOf: Cursors,
): Promise<Required<ReplayRange>[]> {
  const ranges: Required<ReplayRange>[] = []
  for (const topic of topics) {
    const ends = await bounds(bus, topic, span.to)
    for (const [partition, at] of (await bounds(bus, topic, span.from)).entries()) {
      const cursor = cursorOf(topic.name, partition)
      const end = ends[partition] ?? at
      const until = cursor === undefined ? at : await earlier(bus, topic, partition, end, cursor)
      ranges.push({ topic: topic.name, partition, at, until })
    }
  }
  return ranges
}

/** Everything that is kept, up to where the group is by then. */
export async function rangesFromEarliest(bus: Bus, topics: readonly Topic[]): Promise<ReplayRange[]> {
  const ranges: ReplayRange[] = []
  for (const topic of topics)
    for (const [partition, at] of (await bounds(bus, topic, { kind: 'earliest' })).entries())
      ranges.push({ topic: topic.name, partition, at })
  return ranges
}

/** The same ranges with their ends as they are now. */
export const endedNow = (ranges: readonly ReplayRange[], cursorOf: Cursors): Required<ReplayRange>[] =>
  ranges.map((range) => ({ until: cursorOf(range.topic, range.partition) ?? range.at, ...range }))

async function bounds(bus: Bus, topic: Topic, position: Position): Promise<string[]> {
  try {
    return (await bus.bounds(topic, position)).map(({ at }) => at)
  } catch (error) {
    if (error instanceof PositionInvalid) throw httpError('parameter_invalid', error.message)
    throw error
  }
}

async function earlier(bus: Bus, topic: Topic, partition: number, end: string, cursor: string): Promise<string> {
  try {
    return (await bus.count({ topic, partition, from: cursor, until: end })) > 0 ? cursor : end
  } catch (error) {
    if (!(error instanceof PositionInvalid)) throw error
    throw dataError('replay_refused', `the group has not read ${topic.name}/${partition} on this bus yet`)
  }
}
