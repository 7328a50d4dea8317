import type { Topic } from '../../schemas/topics.ts'
import type { Log } from '../log.ts'
import type { Counter } from '../metrics.ts'
import type { ConsumeOptions, Lag } from './bus.ts'
import type { Admin } from './kafka-admin.ts'

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

/** The cursors before the ends: the other way round a cursor that moves meanwhile would seem to lie past the end. */
async function cursorsThenMarks(
  { options, admin }: Pick<PlaceFinder, 'options' | 'admin'>,
  topic: string,
  partitions: readonly number[],
): Promise<{ partition: number; from: string | null; marks: Watermarks }[]> {
  const stored = await Promise.all(partitions.map((partition) => options.cursor(topic, partition)))
  const all = await watermarks(admin, topic)
  return partitions.map((partition, n) => {
    const marks = all[partition]
    if (!marks) throw new Error(`${topic} has no partition ${partition}`)
    return { partition, from: stored[n] ?? null, marks }
  })
}

/**
 * Reads the stored cursors and checks them against what the partitions hold, because Kafka answers an offset out of
 * range by quietly moving the reader to an end. What has expired cannot be read; a cursor past the end, or one of the
 * other backend, means another log: it is read from its beginning, and the inbox drops what had been applied.
 * `known` are places of before, by partition, for a group that has nothing stored yet.
 */
export async function findPlaces(
  finder: PlaceFinder,
  topic: string,
  partitions: readonly number[],
  known: (partition: number) => Place | undefined,
): Promise<Map<number, Place>> {
  const { options, log, resets } = finder
  const places = new Map<number, Place>()
  for (const { partition, from, marks } of await cursorsThenMarks(finder, topic, partitions)) {
    const { low } = marks
    if (from === null) {
      // The end may have moved on since this group began there.
      const offset = known(partition)?.offset ?? firstOf(options, marks)
      places.set(partition, { from: String(offset), offset })
      continue
    }
    const reason = resetReason(from, marks)
    places.set(partition, { from, offset: reason === null ? BigInt(from) : low })
    if (reason === null) continue
    resets.inc({ group: options.group, topic, reason })
    log.warn('cursor moved to the oldest record', { topic, partition, reason, from, to: String(low) })
  }
  return places
}

/** Records and seconds between each stored cursor and the end, for all topics of a group, assigned here or not. */
export async function readLag(
  finder: Pick<PlaceFinder, 'options' | 'admin'>,
  topics: readonly Topic[],
): Promise<Lag[]> {
  const lags = await Promise.all(topics.map((topic) => lagOfTopic(finder, topic)))
  return lags.flat()
}

async function lagOfTopic(
  finder: Pick<PlaceFinder, 'options' | 'admin'>,
  { name: topic, partitions }: Topic,
): Promise<Lag[]> {
  const lags: Lag[] = []
  for (const { partition, from, marks } of await cursorsThenMarks(finder, topic, [...Array(partitions).keys()])) {
    const stored = from !== null && resetReason(from, marks) === null ? BigInt(from) : marks.low
    const next = from === null ? firstOf(finder.options, marks) : stored
    const records = Number(marks.high - next)
    const seconds = records > 0 ? await ageOf(finder.admin, topic, partition, next) : 0
    lags.push({ topic, partition, records, seconds, place: String(next) })
  }
  return lags
}

const firstOf = ({ start }: PlaceFinder['options'], { low, high }: Watermarks): bigint =>
  start === 'earliest' ? low : high

function resetReason(from: string, { low, high }: Watermarks): 'foreign' | 'expired' | 'ahead' | null {
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
