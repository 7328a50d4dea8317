import type { Topic } from '../../schemas/topics.ts'
import type { Extent } from './bus.ts'
import type { Admin } from './kafka-admin.ts'
import { type Watermarks, watermarks } from './kafka-places.ts'

/** How many records each topic holds, and when the newest came. */
export async function readExtents(admin: Admin, topics: readonly Topic[]): Promise<Extent[]> {
  const extents: Extent[] = []
  for (const { name: topic } of topics) {
    const marks = await watermarks(admin, topic)
    const records = marks.reduce((sum, { low, high }) => sum + Number(high - low), 0)
    const removed = marks.reduce((sum, { low }) => sum + Number(low), 0)
    const lastRecordedAt = records > 0 ? await newestAt(admin, topic, marks) : null
    extents.push({ topic, records, lastRecordedAt, removed, removedUntil: null })
  }
  return extents
}

/** Brokers tell which record follows a time but not the time of the newest, so it is closed in on, to a millisecond. */
async function newestAt(admin: Admin, topic: string, marks: readonly Watermarks[]): Promise<Date> {
  const someAtOrAfter = async (time: number): Promise<boolean> => {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, time))
    return found.some(({ partition, offset }) => BigInt(offset) < (marks[partition]?.high ?? 0n))
  }
  let after = Math.ceil(performance.timeOrigin + performance.now())
  let step = 1_000
  // The brokers' clock may be ahead of ours; then what is newer than our now counts as now.
  if (await someAtOrAfter(after)) return new Date(after)
  let at = after - step
  while (at > 0 && !(await someAtOrAfter(at))) {
    after = at
    step *= 2
    at -= step
  }
  at = Math.max(0, at)
  while (after - at > 1) {
    const middle = Math.floor((at + after) / 2)
    if (await someAtOrAfter(middle)) at = middle
    else after = middle
  }
  return new Date(at)
}
