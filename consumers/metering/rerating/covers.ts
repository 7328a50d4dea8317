import type { Bus } from '../../../platform/bus/bus.ts'
import type { ReplayRange } from '../../../platform/replay/replay.ts'
import { topics } from '../../../schemas/topics.ts'
import { type Covers, firstReceived } from './rerating.ts'

/**
 * Since when the log holds everything of the partitions that are read, and whether that is the whole month: not once
 * retention has removed what was recorded in it. On a bus that does not know what it removed, its oldest record says.
 */
export async function coversOf(bus: Bus, ranges: readonly ReplayRange[], period: string, now: Date): Promise<Covers> {
  const [extent] = await bus.extents([topics.usage])
  if (!extent || extent.removed === 0) return { from: null, to: null, complete: true }
  const from = extent.removedUntil ?? (await oldestKept(bus, ranges)) ?? now
  return { from: from.toISOString(), to: null, complete: from <= firstReceived(period) }
}

async function oldestKept(bus: Bus, ranges: readonly ReplayRange[]): Promise<Date | null> {
  const latest = await bus.bounds(topics.usage, { kind: 'latest' })
  let oldest: Date | null = null
  for (const { partition, at } of ranges) {
    const until = latest.find((one) => one.partition === partition)?.at ?? at
    const [first] = await bus.read({ topic: topics.usage, partition, from: at, until, maxRecords: 1 })
    if (!first) return null
    if (oldest === null || first.recordedAt > oldest) oldest = first.recordedAt
  }
  return oldest
}
