import type { Topic } from '../../schemas/topics.ts'
import type { Log } from '../log.ts'
import type { Counter } from '../metrics.ts'
import type { ConsumeOptions, Lag } from './bus.ts'
import type { Admin } from './kafka.ts'

/** Where a group reads a partition: `from` is what its cursor says now, `offset` the next record to ask for. */
export type Place = { from: string; offset: bigint }
export type Watermarks = { low: bigint; high: bigint }

/** First and one past the last offset of each partition, in order (the brokers' answer has none). */
export async function watermarks(admin: Admin, topic: string): Promise<Watermarks[]> {
  const found = await admin.fetchTopicOffsets(topic)
  return found
    .sort((a, b) => a.partition - b.partition)
    .map(({ low, high }) => ({ low: BigInt(low), high: BigInt(high) }))
}

export type PlaceFinder = {
  options: Pick<ConsumeOptions, 'group' | 'start' | 'cursor'>
  admin: Admin
  log: Log
  resets: Counter
}

/**
 * Reads the stored cursor and checks it against what the partition holds, because Kafka answers an offset out of range
 * by quietly moving the reader to an end. What has expired cannot be read; a cursor past the end, or one of the other
 * backend, means another log: it is read from its beginning, and the inbox drops what had been applied.
 */
export async function findPlace(
  finder: PlaceFinder,
  topic: string,
  partition: number,
  { low, high }: Watermarks,
  known?: Place,
): Promise<Place> {
  const { group, start, cursor } = finder.options
  const from = await cursor(topic, partition)
  if (from === null) {
    // Nothing is stored before the first batch is applied: the end may have moved on since this group began there.
    const offset = known?.offset ?? (start === 'earliest' ? low : high)
    return { from: String(offset), offset }
  }
  const reason = resetReason(from, low, high)
  if (reason === null) return { from, offset: BigInt(from) }
  finder.resets.inc({ group, topic, reason })
  finder.log.warn('cursor moved to the oldest record', { topic, partition, reason, from, to: String(low) })
  return { from, offset: low }
}

/** Records and seconds between each stored cursor and the end, for all topics of a group, assigned here or not. */
export async function readLag(
  { options, admin }: Omit<PlaceFinder, 'log' | 'resets'>,
  topics: readonly Topic[],
): Promise<Lag[]> {
  const lags: Lag[] = []
  for (const { name: topic } of topics)
    for (const [partition, { low, high }] of (await watermarks(admin, topic)).entries()) {
      const stored = await options.cursor(topic, partition)
      const fallback = options.start === 'earliest' ? low : high
      const next = stored === null ? fallback : resetReason(stored, low, high) === null ? BigInt(stored) : low
      const records = Number(high - next)
      const seconds = records > 0 ? await ageOf(admin, topic, partition, next) : 0
      lags.push({ topic, partition, records, seconds })
    }
  return lags
}

function resetReason(from: string, low: bigint, high: bigint): 'foreign' | 'expired' | 'ahead' | null {
  if (!/^\d+$/.test(from)) return 'foreign'
  if (BigInt(from) < low) return 'expired'
  return BigInt(from) > high ? 'ahead' : null
}

const FIRST_GUESS_MS = 250
const LONGEST_MS = 2 ** 40
const HALVINGS = 4

/**
 * Age in seconds of the record at an offset, at most 7 % too high. The brokers tell which record follows a time, not
 * the time of a record, so times are tried: doubling the age until it is enough, then halving the last step.
 */
async function ageOf(admin: Admin, topic: string, partition: number, offset: bigint): Promise<number> {
  const now = performance.timeOrigin + performance.now()
  const isWithin = async (ms: number): Promise<boolean> => {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, Math.floor(now - ms)))
    const first = found.find((one) => one.partition === partition)?.offset
    return first !== undefined && BigInt(first) <= offset
  }
  let enough = FIRST_GUESS_MS
  while (enough < LONGEST_MS && !(await isWithin(enough))) enough *= 2
  let tooLittle = enough === FIRST_GUESS_MS ? 0 : enough / 2
  for (let n = 0; n < HALVINGS; n++) {
    const middle = (tooLittle + enough) / 2
    if (await isWithin(middle)) enough = middle
    else tooLittle = middle
  }
  return enough / 1_000
}
