import type { Bus, BusRecord } from '../../platform/bus/bus.ts'
import { partitionOf } from '../../platform/bus/partition.ts'
import type { Topic } from '../../schemas/topics.ts'

/** A range of a topic: for each partition the cursor to go on from, and the one to stop at. */
export type Range = { topic: Topic; from: string[]; until: string[] }
export type Filter = { key: string | null; type: string | null }

const FETCH_RECORDS = 500

/**
 * Every record of a range, oldest first by the time it was stored, order inside a partition kept. `range.from` moves
 * along, so that it says where to go on whenever the caller stops. With a key only its partition is read.
 */
export async function* scan(bus: Bus, range: Range, { key }: Filter): AsyncGenerator<BusRecord> {
  const { topic, from, until } = range
  const wanted = key === null ? null : partitionOf(key, topic.partitions)
  const open = new Map<number, BusRecord[]>()

  async function refill(partition: number): Promise<void> {
    const request = { topic, partition, from: from[partition] ?? '', until: until[partition] ?? '' }
    const records = await bus.read({ ...request, maxRecords: FETCH_RECORDS })
    if (records.length > 0) open.set(partition, records.reverse())
    else {
      open.delete(partition)
      from[partition] = request.until
    }
  }

  for (let partition = 0; partition < topic.partitions; partition++)
    if (wanted === null || partition === wanted) await refill(partition)
    else from[partition] = until[partition] ?? ''
  for (;;) {
    let oldest: BusRecord | undefined
    for (const records of open.values()) {
      const head = records.at(-1) as BusRecord
      if (!oldest || head.recordedAt < oldest.recordedAt) oldest = head
    }
    if (!oldest) return
    const { partition } = oldest
    const records = open.get(partition) as BusRecord[]
    records.pop()
    from[partition] = oldest.next
    yield oldest
    if (records.length === 0) await refill(partition)
  }
}

export const matches = (record: BusRecord, { key, type }: Filter): boolean =>
  (key === null || record.key === key) && (type === null || record.headers.ce_type === type)
